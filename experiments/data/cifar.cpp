// CIFAR-10 (Krizhevsky 2009): 32 × 32 pixels in colour, ten classes. A record of its binary version is a byte
// of label and 3,072 of pixels, the planes of red, green and blue. Taken are, in this order, of
// FOLDER/cifar10:
//   cifar-10-binary.tar.gz                  as published, which `dale data --fetch cifar10` gets
//   data_batch_1.bin … 5.bin, test_batch.bin   what is in it
//   train.bin.gz, test.bin.gz               records of another choice, gzipped or not
#include <charconv>

#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "tensor/check.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

constexpr Index cifar_side = 32, cifar_classes = 10, cifar_pixels = 3 * cifar_side * cifar_side,
                record = 1 + cifar_pixels;
constexpr const char* archive = "cifar-10-binary.tar";
constexpr std::uint64_t largest_archive = 1 << 28;

std::vector<std::string> members(Split split) {
  if (split == Split::test) return {"test_batch.bin"};
  std::vector<std::string> names;
  for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  return names;
}

/// A file of a tar archive: blocks of 512 bytes, a header with name and, in octal digits at 124, length, then
/// the file's bytes. Throws where there is no whole file of that name.
std::string_view member(std::string_view tar, const std::string& name, const std::string& path) {
  constexpr std::size_t block = 512, length_at = 124, length_digits = 12;
  while (tar.size() >= block) {
    const std::string_view field = tar.substr(0, 100), digits = tar.substr(length_at, length_digits);
    const std::string_view found = field.substr(0, std::min(field.find('\0'), field.size()));
    std::size_t length = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), length, 8);
    tar.remove_prefix(block);
    if (length > tar.size()) break;
    if (found.ends_with("/" + name) || found == name) return tar.substr(0, length);
    tar.remove_prefix(std::min(tar.size(), (length + block - 1) / block * block));
  }
  failed("{}: it has no whole {}; expected the archive as it is published: dale data --verify looks at it",
         path, name);
}

std::optional<fs::path> find_in(const fs::path& folder) {
  if (const auto path = idx_file(folder, archive)) return path;
  if (const auto path = idx_file(folder, members(Split::train)[0])) return path;
  return idx_file(folder, "train.bin");
}

}  // namespace

std::optional<fs::path> find_cifar(const std::string& data_option) {
  for (const fs::path& folder : dataset_folders(data_option))
    if (find_in(folder / cifar_name)) return folder / cifar_name;
  return std::nullopt;
}

Dataset load_cifar(const std::string& data_option, Split split) {
  const auto folder = find_cifar(data_option);
  if (!folder)
    missing_dataset(cifar_name, "cifar-10-binary.tar.gz, data_batch_1.bin or train.bin", data_option);
  Dataset data{.name = cifar_name, .folder = *folder, .classes = cifar_classes};
  std::string records;
  const auto add = [&](std::string_view bytes, const fs::path& path) {
    if (bytes.empty() || bytes.size() % record)
      failed("{}: {} bytes; expected records of {}", path.string(), bytes.size(), Index{record});
    records += bytes;
    data.digests[path.filename().string()] = md5(bytes);
  };
  const fs::path first = *find_in(*folder);
  if (first.filename().string().starts_with(archive)) {
    const std::string tar = read_gzip(first, largest_archive);
    for (const std::string& name : members(split)) add(member(tar, name, first.string()), first / name);
  } else {
    const bool batches = first.filename().string().starts_with("data_batch");
    for (const std::string& name :
         batches ? members(split)
                 : std::vector<std::string>{split == Split::train ? "train.bin" : "test.bin"}) {
      const auto path = idx_file(*folder, name);
      if (!path)
        failed("{} has no {}, which belongs to {}", folder->string(), name, first.filename().string());
      add(read_gzip(*path, largest_archive), *path);
    }
  }
  const Index N = static_cast<Index>(records.size()) / record;
  data.images = Tensor({N, 3, cifar_side, cifar_side});
  data.labels = IntTensor({N});
  const Index published = split == Split::train ? 50000 : 10000;
  if (N != published) data.note = fmt::format("{} images of {}", N, published);
  real* pixel = data.images.data();
  std::int32_t* label = data.labels.data();
  for (Index n = 0; n < N; ++n) {
    const char* at = records.data() + n * record;
    *label = static_cast<unsigned char>(*at);
    if (*label >= cifar_classes)
      failed("{}: record {} has label {}; expected 0 to {}", folder->string(), n, *label, cifar_classes - 1);
    ++label;
    for (Index i = 1; i <= cifar_pixels; ++i) *pixel++ = static_cast<unsigned char>(at[i]) / real(255);
  }
  return data;
}

}  // namespace dale
