// Images of the user's own, as they come:
//   a folder of PNG and JPEG files   of one size, or resized; if they lie in folders below it, each of these
//                                    is a class and its name the class's
//   a file.npy                       (N,H,W), (N,C,H,W) or (N,H,W,C), C = 1 or 3; bytes are pixels of 255,
//                                    all else is in units of its own
#include <algorithm>
#include <charconv>
#include <sstream>

#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "experiments/pictures/image.h"
#include "tensor/check.h"
#include "tensor/file.h"
#include "tensor/npy.h"
#include "tensor/verbs.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

/// The names that the publishers of a set gave its classes, "" where these are digits or characters.
const char* published_classes(const std::string& set) {
  if (set == "fashion-mnist")
    return "t-shirt/trouser/pullover/dress/coat/sandal/shirt/sneaker/bag/ankle-boot";
  if (set == "cifar10") return "airplane/automobile/bird/cat/deer/dog/frog/horse/ship/truck";
  return "";
}

bool has_colours(Index channels) { return channels == 1 || channels == 3; }

/// (N,H,W), (N,C,H,W) or (N,H,W,C) as (N,C,H,W).
Tensor as_images(const Tensor& x, const std::string& path) {
  if (x.rank() == 3) return x.reshape({x.dim(0), 1, x.dim(1), x.dim(2)});
  if (x.rank() == 4 && has_colours(x.dim(1))) return x;
  if (x.rank() == 4 && has_colours(x.dim(3))) return x.permute({0, 3, 1, 2}).packed();
  failed("{}: an array of shape {}; expected images (N,H,W), (N,C,H,W) or (N,H,W,C) with C = 1 or 3", path,
         str(x.shape()));
}

Dataset npy_images(const fs::path& path) {
  const std::string file = read_file(path);
  Tensor images = npy_array(file, path.string());
  const auto values = images.cspan();
  const auto bad = std::find_if(values.begin(), values.end(), [](real v) { return !std::isfinite(v); });
  if (bad != values.end())
    failed("{}: the value at {} is {}; expected finite numbers", path.string(),
           str(place_of(bad - values.begin(), images.shape())), *bad);
  if (npy_of_bytes(file, path.string()))
    for (real& v : images.span()) v /= 255;
  return {.name = path.string(),
          .folder = path,
          .images = as_images(images, path.string()),
          .digests = {{path.filename().string(), md5(file)}}};
}

/// What lies in a folder, by name, without hidden files.
std::vector<fs::path> sorted(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (!at->path().filename().string().starts_with('.')) all.push_back(at->path());
  if (error) failed("cannot read the folder {}: {}", folder.string(), error.message());
  std::sort(all.begin(), all.end());
  return all;
}

struct ImageFiles {
  std::vector<fs::path> paths;
  std::vector<std::int32_t> labels;
  std::vector<std::string> classes;
  Index others = 0;  // files that are neither PNG nor JPEG

  void add(const fs::path& path, std::int32_t label) {
    std::string ending = path.extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (ending != ".png" && ending != ".jpg" && ending != ".jpeg") {
      ++others;
      return;
    }
    paths.push_back(path);
    labels.push_back(label);
  }
};

ImageFiles find_images(const fs::path& folder) {
  ImageFiles found;
  const std::vector<fs::path> all = sorted(folder);
  for (const fs::path& path : all)
    if (!fs::is_directory(path)) found.add(path, 0);
  for (const fs::path& path : all) {
    if (!fs::is_directory(path)) continue;
    if (found.classes.empty() && !found.paths.empty())
      failed("{}: holds both images and folders; expected images, or a folder for each class",
             folder.string());
    for (const fs::path& image : sorted(path))
      found.add(image, static_cast<std::int32_t>(found.classes.size()));
    found.classes.push_back(path.filename().string());
  }
  if (found.paths.empty())
    failed("{}: no PNG or JPEG files; expected some, or a folder of them for each class", folder.string());
  return found;
}

Dataset folder_images(const fs::path& folder, const Treatment& how) {
  const ImageFiles found = find_images(folder);
  std::vector<Tensor> images;
  std::string digests;
  Index colours = 1, resizes = 0, transparent = 0, deep = 0;
  for (const fs::path& path : found.paths) {
    const std::string bytes = read_file(path);
    const ImageFile file = image_of(bytes, path);
    const Tensor image = how.grey ? in_colours(file.pixels, 1) : file.pixels;
    if (!how.height && !images.empty() && !(image.shape() == images[0].shape()))
      failed("{}: a picture of {} (colours, height, width); expected {}, like {}: choose a --size for all",
             path.string(), str(image.shape()), str(images[0].shape()), found.paths[0].string());
    images.push_back(how.height ? resized(image, how.height, how.width) : image);
    resizes += !(images.back().shape() == image.shape());
    transparent += file.transparent;
    deep += file.deep;
    colours = std::max(colours, image.dim(0));
    digests += md5(bytes);
  }
  const Index N = static_cast<Index>(images.size()), H = images[0].dim(1), W = images[0].dim(2);
  Tensor all({N, colours, H, W});
  for (Index n = 0; n < N; ++n)  // a grey picture among coloured ones has its grey in each of the colours
    raw::copy_into(
        all.slice(0, n, n + 1),
        images[static_cast<std::size_t>(n)].reshape({1, -1, H, W}).broadcast_to({1, colours, H, W}));
  std::string note;
  const auto tell = [&note](Index count, const std::string& what) {
    if (count) note += fmt::format("{}{} {}", note.empty() ? "" : "; ", count, what);
  };
  tell(resizes, fmt::format("resized and cropped to {}x{}", H, W));
  tell(transparent, "have transparency, which was dropped");
  tell(deep, "have 16 bits, of which the lower eight were dropped");
  tell(found.others, "files that are neither PNG nor JPEG were left out");
  const Index classes = static_cast<Index>(found.classes.size());
  return {.name = folder.string(),
          .folder = folder,
          .images = all,
          .labels = classes ? IntTensor({N}, found.labels) : IntTensor(),
          .classes = classes,
          .class_names = found.classes,
          .digests = {{"images", md5(digests)}},
          .note = note};
}

}  // namespace

Dataset own_images(const fs::path& path, const Treatment& how) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? folder_images(path, how) : npy_images(path);
}

Tensor treated(const Tensor& images, const Treatment& how) {
  const Tensor x = how.grey ? in_colours(images, 1) : images;
  return how.height ? resized(x, how.height, how.width) : x;
}

void set_size(Treatment& how, const std::string& text) {
  const char *at = text.data(), *end = at + text.size();
  auto read = std::from_chars(at, end, how.height);
  how.width = how.height;
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == 'x')
    read = std::from_chars(read.ptr + 1, end, how.width);
  const Index least = std::min(how.height, how.width), most = std::max(how.height, how.width);
  if (read.ec != std::errc() || read.ptr != end || least < 1 || most > max_image_side)
    invalid("the size {} is none: expected one such as 28, or 32x48, the height first", text);
}

std::map<std::string, std::string> notes_of(const Treatment& how) {
  std::map<std::string, std::string> notes;
  if (how.grey) notes["grey"] = "true";
  if (how.height) notes["size"] = fmt::format("{}x{}", how.height, how.width);
  return notes;
}

Treatment treatment_of(const std::map<std::string, std::string>& notes) {
  Treatment how{.grey = notes.contains("grey")};
  if (const auto size = notes.find("size"); size != notes.end()) set_size(how, size->second);
  return how;
}

std::vector<std::string> class_names(const std::map<std::string, std::string>& notes) {
  std::string text;
  if (const auto own = notes.find("class_names"); own != notes.end())
    text = own->second;
  else if (const auto set = notes.find("dataset"); set != notes.end())
    text = published_classes(published_name(set->second));
  std::vector<std::string> names;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, '/');) names.push_back(part);
  return names;
}

}  // namespace dale
