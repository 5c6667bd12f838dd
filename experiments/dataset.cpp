// zlib reads gzipped and plain files alike. One byte more than the header promises is asked for: it shows
// trailing bytes, and takes zlib to the end of the stream, where it compares the checksum.
#include "experiments/dataset.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

constexpr Index side = 28;
constexpr int classes = 10;

struct Idx {
  Shape shape;
  std::string bytes;
};

using GzFile = std::unique_ptr<gzFile_s, int (*)(gzFile)>;

/// At most `limit` bytes, fewer at the end of the file, in chunks: a false size costs no more memory than the
/// file has bytes to fill.
std::string read_bytes(gzFile file, std::uint64_t limit) {
  constexpr std::uint64_t chunk = 1 << 20;
  std::string bytes;
  while (bytes.size() < limit) {
    const std::size_t had = bytes.size();
    const auto wanted = static_cast<unsigned>(std::min<std::uint64_t>(chunk, limit - had));
    bytes.resize(had + wanted);
    const int n = gzread(file, bytes.data() + had, wanted);
    bytes.resize(had + static_cast<std::size_t>(std::max(n, 0)));
    int error = Z_OK;
    const char* reason = gzerror(file, &error);  // begins with the path
    if (n < 0 || error != Z_OK) failed("cannot read {}; expected a whole idx file, gzipped or not", reason);
    if (n == 0) break;
  }
  return bytes;
}

Index big_endian(std::string_view bytes) {
  Index value = 0;
  for (char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

Idx read_idx(const std::filesystem::path& path, Index magic, int rank) {
  const std::string name = path.string();
  errno = 0;
  const GzFile file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) failed("cannot read {}: {}", name, std::generic_category().message(errno ? errno : ENOMEM));

  const std::size_t length = 4 + 4 * static_cast<std::size_t>(rank);
  const std::string header = read_bytes(file.get(), length);
  if (header.size() >= 4 && big_endian(header) != magic)
    failed("{}: magic number 0x{:08x}; expected 0x{:08x}", name, big_endian(header), magic);
  if (header.size() < length) failed("{}: {} bytes; expected a header of {}", name, header.size(), length);

  Idx idx;
  for (int i = 0; i < rank; ++i) idx.shape.push_back(big_endian(std::string_view(header).substr(4 + 4 * i)));
  const auto expected = byte_count(idx.shape, 1);
  if (!expected) failed("{}: the shape {} overflows; expected less than 2^63 bytes", name, str(idx.shape));
  const auto size = static_cast<std::uint64_t>(*expected);
  idx.bytes = read_bytes(file.get(), size + 1);
  if (idx.bytes.size() < size)
    failed("{}: truncated: {} bytes; expected {} for shape {}", name, idx.bytes.size(), size, str(idx.shape));
  if (idx.bytes.size() > size) failed("{}: trailing bytes; expected {} for {}", name, size, str(idx.shape));
  return idx;
}

/// FOLDER/STEM or FOLDER/STEM.gz, whichever is there.
std::optional<std::filesystem::path> idx_file(const std::filesystem::path& folder, const std::string& stem) {
  std::error_code ignored;
  for (const char* ending : {"", ".gz"})
    if (const auto path = folder / (stem + ending); std::filesystem::exists(path, ignored)) return path;
  return std::nullopt;
}

std::string prefix(Split split) { return split == Split::train ? "train" : "t10k"; }
std::string images_stem(Split split) { return prefix(split) + "-images-idx3-ubyte"; }
std::string labels_stem(Split split) { return prefix(split) + "-labels-idx1-ubyte"; }

[[noreturn]] void missing(const std::string& name, const std::string& data_option, Split split) {
  std::string folders;
  for (const auto& folder : dataset_folders(data_option))
    folders += (folders.empty() ? "" : ", ") + folder.string();
  failed("no {0}/{1}[.gz] with {2}[.gz] in any of the folders {3}; to get this data set, {4}", name,
         images_stem(split), labels_stem(split), folders, dataset_remedy(name));
}

}  // namespace

Tensor read_idx_images(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 0x803, 3);
  Tensor images({idx.shape[0], 1, idx.shape[1], idx.shape[2]});
  std::transform(idx.bytes.begin(), idx.bytes.end(), images.data(),
                 [](char c) { return static_cast<unsigned char>(c) / real(255); });
  return images;
}

IntTensor read_idx_labels(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 0x801, 1);
  IntTensor labels(idx.shape);
  std::transform(idx.bytes.begin(), idx.bytes.end(), labels.data(),
                 [](char c) { return static_cast<unsigned char>(c); });
  return labels;
}

std::vector<std::string> dataset_names() { return {"fashion-mnist", "mnist", "kmnist"}; }

std::string dataset_remedy(const std::string& name) {
  if (name == "fashion-mnist") return "run `apt-get install dataset-fashion-mnist`";
  return fmt::format("put its four idx files into ./data/{}/", name);
}

std::vector<std::filesystem::path> dataset_folders(const std::string& data_option) {
  std::vector<std::filesystem::path> folders;
  if (!data_option.empty()) folders.push_back(data_option);
  if (const char* variable = std::getenv("DALE_DATA"); variable && *variable) folders.push_back(variable);
  folders.push_back("./data");
  folders.push_back("/usr/share/datasets");
  return folders;
}

std::optional<std::filesystem::path> find_dataset(const std::string& name, const std::string& data_option,
                                                  Split split) {
  for (const auto& folder : dataset_folders(data_option))
    if (idx_file(folder / name, images_stem(split)) && idx_file(folder / name, labels_stem(split)))
      return folder / name;
  return std::nullopt;
}

Dataset load_dataset(const std::string& name, const std::string& data_option, Split split) {
  const auto known = dataset_names();
  if (std::find(known.begin(), known.end(), name) == known.end()) unknown_name("data set", name, known);
  const auto folder = find_dataset(name, data_option, split);
  if (!folder) missing(name, data_option, split);

  const std::string images_file = *idx_file(*folder, images_stem(split));
  const std::string labels_file = *idx_file(*folder, labels_stem(split));
  const Tensor images = read_idx_images(images_file);
  const IntTensor labels = read_idx_labels(labels_file);
  if (images.dim(2) != side || images.dim(3) != side)
    failed("{}: images of {}x{}; expected {}x{}", images_file, images.dim(2), images.dim(3), side, side);
  if (images.dim(0) != labels.dim(0) || images.dim(0) == 0)
    failed("{}: {} images and {} labels; expected as many of both, at least one", images_file, images.dim(0),
           labels.dim(0));
  const std::int32_t highest = *std::max_element(labels.data(), labels.data() + labels.size());
  if (highest >= classes) failed("{}: a label {}; expected 0 to {}", labels_file, highest, classes - 1);
  return {name, split, *folder, images, labels};
}

}  // namespace dale
