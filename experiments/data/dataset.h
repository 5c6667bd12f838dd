// What is trained on: grey images, with a label each where they come in classes.
//   fashion-mnist, mnist, kmnist   28 × 28 in ten classes, four idx files each, looked for in a few folders
//   rain                           28 × 28, in mm/h, without labels (rain.h)
//   a folder of PNG files          of one size; if they lie in folders below it, each of these is a class
//   a file.npy                     (N,1,H,W), without labels; in units of its own, where a model's embedding
//                                  takes them (diffusion/embedding.h)
// Training must keep images back for evaluation. The named sets come with 10,000; of what does not come in
// two parts, and of a named set whose training files are missing, every fifth image is kept.
//
// Nothing is downloaded here: where a data set is missing the error says what to do (catalog.h is who
// fetches).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

enum class Split { train, test };

struct Dataset {
  std::string name;
  std::filesystem::path folder;  // or file
  Tensor images;                 // (N,1,H,W): pixels in [0,1], or in units of their own
  IntTensor labels = {};         // (N), 0 … classes − 1; undefined without classes
  Index classes = 0;             // 0: no labels
  /// MD5 of what was read: of each idx file's contents, of the .npy file, or of the MD5s of all PNG files.
  std::map<std::string, std::string> digests = {};
  std::string note = {};  // what a reader of a report must know of the images, or ""
};

/// fashion-mnist, mnist, kmnist: published in four idx files (catalog.h).
std::vector<std::string> dataset_names();
/// These and rain: what --dataset knows by name.
std::vector<std::string> known_names();
/// Whose files a name means: NAME for NAME and NAME:validation; what is not of these stays as it is.
std::string published_name(const std::string& name);
/// What to do to get a data set, as a clause: "run `dale data --fetch …` or put …".
std::string dataset_remedy(const std::string& name);

/// Where to look, in order: `data_option` (the value of --data) unless empty, $DALE_DATA if set, ./data, and
/// the system's folder of data sets.
std::vector<std::filesystem::path> dataset_folders(const std::string& data_option);

/// The idx files of a split of a named set, as they are called without .gz: images, labels.
struct SplitFiles {
  std::string images, labels;
};
SplitFiles split_files(Split split);
/// FOLDER/STEM or FOLDER/STEM.gz, whichever is there.
std::optional<std::filesystem::path> idx_file(const std::filesystem::path& folder, const std::string& stem);
/// The first FOLDER/NAME in which both idx files of the split are.
std::optional<std::filesystem::path> find_split(const std::string& name, const std::string& data_option,
                                                Split split);
/// Where the images to train on would come from: of a named set find_split of the training files, else of
/// the test files; a folder or file that is there.
std::optional<std::filesystem::path> find_dataset(const std::string& name, const std::string& data_option);

/// Throws std::invalid_argument for what is neither a known name, a folder nor a .npy file;
/// std::runtime_error when a named set is nowhere (saying where it was looked for, and how to get it), when
/// a file is damaged or holds what is not finite, when there are more images than labels or fewer, when
/// images differ in size or have a side that is no multiple of 4 (of named sets: that is not 28), when a
/// label is above 9, and when a part is empty.
Dataset load_dataset(const std::string& name, const std::string& data_option, Split split = Split::train);

/// Throws std::runtime_error with `path` unless these are grey images (N,1,H,W), H and W multiples of 4.
void expect_images(const Tensor& images, const std::string& path);

/// A file or folder that comes with the program: beside the sources, in experiments/pretrained, or where
/// `make install` puts it. Throws std::runtime_error with the folders looked in.
std::filesystem::path pretrained(const std::string& name);

/// The share of its images that are of the classes `found`.
double share_right(const Dataset& data, const std::vector<std::int32_t>& found);

}  // namespace dale
