// Images of the user's own, as they come:
//   a folder of PNG and JPEG files   of one size, or resized; if they lie in folders below it, each of these
//                                    is a class and its name the class's
//   a file.npy                       (N,H,W), (N,C,H,W) or (N,H,W,C), C = 1 or 3; bytes are pixels of 255,
//                                    all else is in units of its own
#pragma once

#include "experiments/data/dataset.h"

namespace dale {

/// All of a folder, treated, or of a .npy file, as it is, in one part; `note` tells what was changed or left
/// out. Throws std::runtime_error with the file for what is damaged or not finite, and for files that differ
/// in size or in colours (where no size is asked for), with what the others have.
Dataset own_images(const std::filesystem::path& path, const Treatment& how);

/// Images (N,C,H,W), or one (C,H,W), in grey or resized where asked for.
Tensor treated(const Tensor& images, const Treatment& how);

/// "28", which is 28 × 28, or "32x48", height first: into `how`. Throws std::invalid_argument for another
/// text.
void set_size(Treatment& how, const std::string& text);

/// A treatment as entries of a model's metadata or a run's config, none where nothing was done, and from
/// there.
std::map<std::string, std::string> notes_of(const Treatment& how);
Treatment treatment_of(const std::map<std::string, std::string>& notes);

/// The names of a model's classes, by its notes: the folders', of which one entry has all ("bag/shoe": they
/// have no slash), or those of a published set. Empty where they have none.
std::vector<std::string> class_names(const std::map<std::string, std::string>& notes);

}  // namespace dale
