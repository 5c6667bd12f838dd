// The data sets: 28 × 28 grey images in ten classes, as the four idx files in which MNIST came and its
// successors followed, gzipped or not. An idx file is a magic number, one size an axis (all of 32 bits, the
// high byte first), and unsigned bytes. Nothing is downloaded: a data set is looked for, and where it is
// missing the error says what to do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

enum class Split { train, test };

struct Dataset {
  std::string name;
  Split split;
  std::filesystem::path folder;
  Tensor images;     // (N,1,28,28) in [0,1]
  IntTensor labels;  // (N), 0 … 9
};

/// (N,1,H,W) in [0,1], of an idx file with magic 0x00000803. Throws std::runtime_error (see tensor/file.h)
/// for damage of any kind, also in the compression.
Tensor read_idx_images(const std::filesystem::path& path);
/// (N), of an idx file with magic 0x00000801. Throws as read_idx_images.
IntTensor read_idx_labels(const std::filesystem::path& path);

/// fashion-mnist, mnist, kmnist.
std::vector<std::string> dataset_names();
/// What to do to get a data set, as a clause: "run `apt-get install …`" or "put its four idx files into …".
std::string dataset_remedy(const std::string& name);

/// Where to look, in order: `data_option` (the value of --data) unless empty, $DALE_DATA if set, ./data, and
/// the system's folder of data sets.
std::vector<std::filesystem::path> dataset_folders(const std::string& data_option);

/// The first FOLDER/NAME in which both idx files of the split are, gzipped or not.
std::optional<std::filesystem::path> find_dataset(const std::string& name, const std::string& data_option,
                                                  Split split = Split::train);

/// Throws std::invalid_argument for an unknown name; std::runtime_error when it is nowhere (saying where it
/// was looked for, and how to get it), when a file is damaged, when there are more images than labels or
/// fewer, when the images are not 28 × 28, and when a label is above 9.
Dataset load_dataset(const std::string& name, const std::string& data_option, Split split = Split::train);

}  // namespace dale
