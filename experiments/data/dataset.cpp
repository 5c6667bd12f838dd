#include "experiments/data/dataset.h"

#include <algorithm>
#include <cstdlib>

#include "experiments/data/idx.h"
#include "tensor/check.h"
#include "tensor/verbs.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

constexpr Index side = 28, classes = 10;
constexpr std::string_view validation = ":validation";

bool is_named(const std::string& name) {
  const auto names = dataset_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Images that come in one part: each `kept_back`-th is kept for evaluation, the others are for training.
Dataset part_of(Dataset whole, Split split, const char* source, Index kept_back = 5) {
  const Index N = whole.images.dim(0), test = N / kept_back;
  if (N < kept_back)
    failed("{}: {} images; expected at least {}, because every {}th is kept for evaluation",
           whole.folder.string(), N, kept_back, kept_back);
  std::vector<std::int32_t> rows;
  for (Index n = 0; n < N; ++n)
    if ((n % kept_back == kept_back - 1) == (split == Split::test))
      rows.push_back(static_cast<std::int32_t>(n));
  const IntTensor index({static_cast<Index>(rows.size())}, rows);
  whole.images = raw::gather(whole.images, index);
  if (whole.labels.defined()) {
    const std::vector<std::int32_t> all = whole.labels.to_vector();
    for (std::int32_t& row : rows) row = all[static_cast<std::size_t>(row)];
    whole.labels = IntTensor(index.shape(), rows);
  }
  whole.note = fmt::format("{} images, {}: {} for training, {} kept for evaluation, every {}th{}", N, source,
                           N - test, test, kept_back, whole.note.empty() ? "" : "; " + whole.note);
  return whole;
}

Dataset load_idx(const std::string& name, const fs::path& folder, Split split) {
  const SplitFiles files = split_files(split);
  const std::string images_file = *idx_file(folder, files.images),
                    labels_file = *idx_file(folder, files.labels);
  Dataset data{name, folder, read_idx_images(images_file), read_idx_labels(labels_file), classes};
  const Tensor& images = data.images;
  if (images.dim(2) != side || images.dim(3) != side)
    failed("{}: images of {}x{}; expected {}x{}", images_file, images.dim(2), images.dim(3), side, side);
  if (images.dim(0) != data.labels.dim(0) || images.dim(0) == 0)
    failed("{}: {} images and {} labels; expected as many of both, at least one", images_file, images.dim(0),
           data.labels.dim(0));
  const std::int32_t highest = *std::max_element(data.labels.data(), data.labels.data() + data.labels.size());
  if (highest >= classes) failed("{}: a label {}; expected 0 to {}", labels_file, highest, classes - 1);
  data.digests[files.images] = md5(read_gzip(images_file));
  data.digests[files.labels] = md5(read_gzip(labels_file));
  return data;
}

Dataset load_whole(const std::string& asked, const std::string& data_option, Split split,
                   const Treatment& how) {
  const std::string name = published_name(asked);
  if (is_named(name)) {
    const bool validates = name != asked;
    const auto train = find_split(name, data_option, Split::train),
               test = find_split(name, data_option, Split::test);
    if (!train && test && !validates)
      return part_of(load_idx(name, *test, Split::test), split, "those of the test files alone");
    const Split files = validates ? Split::train : split;
    const auto folder = files == Split::train ? train : test;
    const SplitFiles stems = split_files(files);
    if (!folder) missing_dataset(name, stems.images + "[.gz] with " + stems.labels + "[.gz]", data_option);
    Dataset data = load_idx(asked, *folder, files);
    return validates ? part_of(std::move(data), split, "those of the training files", 10) : data;
  }
  if (name == rain_name) return load_rain(data_option, split);
  if (name == cifar_name) return load_cifar(data_option, split);
  const fs::path path = name;
  std::error_code ignored;
  if (fs::is_directory(path, ignored) || path.extension() == ".npy")
    return part_of(own_images(path, how), split, "in one part");
  if (fs::is_regular_file(path, ignored))
    failed("{}: a file of this kind is no data set; expected a folder of PNG or JPEG files, or a .npy file",
           name);
  if (name.find('/') != name.npos)
    failed("{}: no such folder; expected one of PNG or JPEG files, or a .npy file", name);
  unknown_name("data set", name, known_names());
}

}  // namespace

std::vector<std::string> dataset_names() { return {"fashion-mnist", "mnist", "kmnist"}; }
std::vector<std::string> known_names() { return {"fashion-mnist", "mnist", "kmnist", cifar_name, rain_name}; }

std::string published_name(const std::string& name) {
  const std::string published =
      name.substr(0, name.size() - (name.ends_with(validation) ? validation.size() : 0));
  return is_named(published) ? published : name;
}

std::string dataset_remedy(const std::string& name) {
  const std::string package = name == "fashion-mnist" ? "`apt-get install dataset-fashion-mnist` or " : "";
  return fmt::format("run {0}`dale data --fetch {1}`, or put its {2} files into ./data/{1}/", package, name,
                     name == cifar_name ? "six .bin" : "four idx");
}

void missing_dataset(const std::string& name, const std::string& files, const std::string& data_option) {
  std::string folders;
  for (const auto& folder : dataset_folders(data_option))
    folders += (folders.empty() ? "" : ", ") + folder.string();
  failed("no {}/{} in any of the folders {}; to get this data set, {}", name, files, folders,
         dataset_remedy(name));
}

std::vector<fs::path> dataset_folders(const std::string& data_option) {
  std::vector<fs::path> folders;
  if (!data_option.empty()) folders.push_back(data_option);
  if (const char* variable = std::getenv("DALE_DATA"); variable && *variable) folders.push_back(variable);
  folders.push_back("./data");
  folders.push_back("/usr/share/datasets");
  return folders;
}

SplitFiles split_files(Split split) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  return {prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"};
}

std::optional<fs::path> idx_file(const fs::path& folder, const std::string& stem) {
  std::error_code ignored;
  for (const char* ending : {"", ".gz"})
    if (const auto path = folder / (stem + ending); fs::exists(path, ignored)) return path;
  return std::nullopt;
}

std::optional<fs::path> find_split(const std::string& name, const std::string& data_option, Split split) {
  const SplitFiles files = split_files(split);
  for (const auto& folder : dataset_folders(data_option))
    if (idx_file(folder / name, files.images) && idx_file(folder / name, files.labels)) return folder / name;
  return std::nullopt;
}

std::optional<fs::path> find_dataset(const std::string& asked, const std::string& data_option) {
  std::error_code ignored;
  const std::string name = published_name(asked);
  if (name == rain_name) return find_rain(data_option);
  if (name == cifar_name) return find_cifar(data_option);
  if (!is_named(name)) return fs::exists(name, ignored) ? std::optional<fs::path>(name) : std::nullopt;
  const auto train = find_split(name, data_option, Split::train);
  return train ? train : find_split(name, data_option, Split::test);
}

Dataset load_dataset(const std::string& name, const std::string& data_option, Split split,
                     const Treatment& how) {
  Dataset data = load_whole(name, data_option, split, how);
  data.images = treated(data.images, how);  // a folder's are so already, which costs nothing
  return data;
}

fs::path pretrained(const std::string& name) {
  const auto program = fs::canonical("/proc/self/exe").parent_path();
  std::string looked;
  for (const char* folder : {"../experiments/pretrained", "../share/dale"}) {
    const auto path = (program / folder).lexically_normal() / name;
    if (fs::exists(path)) return path;
    looked += (looked.empty() ? "" : " and ") + path.parent_path().string();
  }
  failed("{} is not among what comes with dale, in {}", name, looked);
}

double share_right(const Dataset& data, const std::vector<std::int32_t>& found) {
  const std::vector<std::int32_t> labels = data.labels.to_vector();
  double right = 0;
  for (std::size_t i = 0; i < found.size(); ++i) right += found[i] == labels[i];
  return right / static_cast<double>(found.size());
}

}  // namespace dale
