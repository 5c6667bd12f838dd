// What is trained on: images, grey or in colour, with a label each where they come in classes.
//   fashion-mnist, mnist, kmnist   28 × 28, grey, in ten classes: four idx files each, looked for in a few
//                                  folders
//   cifar10                        32 × 32, in colour, in ten classes (cifar.cpp)
//   rain                           28 × 28, in mm/h, without labels (rain.cpp)
//   a folder, or a file.npy        the user's own images (own.cpp), in units of their own where a model's
//                                  embedding takes them (diffusion/embedding.h)
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

constexpr const char *cifar_name = "cifar10", *rain_name = "rain";

struct Dataset {
  std::string name;
  std::filesystem::path folder;  // or file
  Tensor images = {};            // (N,C,H,W), C = 1 or 3: pixels in [0,1], or in units of their own
  IntTensor labels = {};         // (N), 0 … classes − 1; undefined without classes
  Index classes = 0;             // 0: no labels
  std::vector<std::string> class_names = {};  // of the user's own images: the folders' names
  /// MD5 of what was read: of each idx file's contents, of the .npy file, or of the MD5s of a folder's files.
  std::map<std::string, std::string> digests = {};
  std::string note = {};  // what a reader of a report must know of the images, or ""
};

/// fashion-mnist, mnist, kmnist: published in four idx files (catalog.h).
std::vector<std::string> dataset_names();
/// These, cifar10 and rain: what --dataset knows by name.
std::vector<std::string> known_names();
/// Whose files a name means: NAME for NAME and NAME:validation; what is not of these stays as it is.
std::string published_name(const std::string& name);
/// What to do to get a data set, as a clause: "run `dale data --fetch …` or put …".
std::string dataset_remedy(const std::string& name);
/// Throws std::runtime_error: these files of NAME are nowhere, where they were looked for, and the remedy.
[[noreturn]] void missing_dataset(const std::string& name, const std::string& files,
                                  const std::string& data_option);

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

/// The first FOLDER/cifar10 with one of the files of cifar.cpp.
std::optional<std::filesystem::path> find_cifar(const std::string& data_option);
/// The first FOLDER/rain with train.npy.gz and test.npy.gz, (N,1,H,W) of '|u1'; else the patches that come
/// with dale, some of these.
std::filesystem::path find_rain(const std::string& data_option);
/// Throw as load_dataset. Rain: rates in mm/h (N,1,H,W), the same numbers at each call.
Dataset load_cifar(const std::string& data_option, Split split);
Dataset load_rain(const std::string& data_option, Split split);

/// How images are taken before they are looked at.
struct Treatment {
  bool grey = false;            // the mean of the colours
  Index height = 0, width = 0;  // resized to (pictures/image.h); 0: as they are, and then of one size

  bool operator==(const Treatment&) const = default;
};

/// Images (N,C,H,W), or one (C,H,W), in grey or resized where asked for.
Tensor treated(const Tensor& images, const Treatment& how);

/// "28", which is 28 × 28, or "32x48", height first: into `how`. Throws std::invalid_argument for another
/// text.
void set_size(Treatment& how, const std::string& text);

/// A treatment as entries of a model's metadata or a run's config, none where nothing was done, and from
/// there.
std::map<std::string, std::string> notes_of(const Treatment& how);
Treatment treatment_of(const std::map<std::string, std::string>& notes);

/// Throws std::invalid_argument for what is neither a known name, a folder nor a .npy file;
/// std::runtime_error when a named set is nowhere (saying where it was looked for, and how to get it), when
/// a file is damaged or holds what is not finite, when there are more images than labels or fewer, when
/// images differ in size or colours and no size was asked for (of named sets: when they are not of theirs),
/// when a label is above 9, and when a part is empty.
Dataset load_dataset(const std::string& name, const std::string& data_option, Split split = Split::train,
                     const Treatment& how = {});

/// All of a folder, treated, or of a .npy file, as it is, in one part; `note` tells what was changed or left
/// out. Throws std::runtime_error with the file for what is damaged or not finite, and for files that differ
/// in size or in colours (where no size is asked for), with what the others have.
Dataset own_images(const std::filesystem::path& path, const Treatment& how);

/// The names of a model's classes, by its notes: the folders', of which one entry has all ("bag/shoe": they
/// have no slash), or those of a published set. Empty where they have none.
std::vector<std::string> class_names(const std::map<std::string, std::string>& notes);

/// A file or folder that comes with the program: beside the sources, in experiments/pretrained, or where
/// `make install` puts it. Throws std::runtime_error with the folders looked in.
std::filesystem::path pretrained(const std::string& name);

/// The share of its images that are of the classes `found`.
double share_right(const Dataset& data, const std::vector<std::int32_t>& found);

}  // namespace dale
