// Checkpoints, in the safetensors format: eight bytes of length, a JSON header of that length, and the
// elements of all tensors one after the other:
//   {"__metadata__":{"step":"100"},"layer.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, …}
// A checkpoint holds numbers and names, never code, and every tool of the trade opens it.
//
// The metadata's entry "crc32", eight hexadecimal digits, is the CRC-32 of its other entries in the order of
// their keys, each key and each value ended by a NUL, and then of the elements.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace dale {

struct NamedTensors {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;

  /// Throws std::invalid_argument that names the nearest tensor there is.
  const Tensor& at(const std::string& name) const;
};

/// Writes every tensor as float32 (width 4) or float64 (8) in the order given, or nothing: throws
/// std::runtime_error (see tensor/file.h), also for a tensor with a value that is then not finite, since a
/// broken state must not pass for a good one. Throws std::invalid_argument for a name given twice, the name
/// __metadata__, and text that is not UTF-8.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& named, Index width = 4);

/// Tensors of dtype F32 or F64, in the order of their data. Throws std::runtime_error for a file that is not
/// wholly described by its header: ranges must fit their shapes and cover the data with neither overlap nor
/// hole, and the CRC-32 must be theirs. Where there is none, a file in a format of dale's own is read with a
/// note on stderr, any other silently.
NamedTensors read_safetensors(const std::filesystem::path& path);

/// The file's tensor of that name, and its metadata's entry. Throw std::runtime_error with `path` when it is
/// missing, of what `so` then says more, or the shape is another.
const Tensor& expect_tensor(const NamedTensors& file, const std::string& name, const Shape& shape,
                            const std::filesystem::path& path);
const std::string& expect_entry(const std::map<std::string, std::string>& metadata, const std::string& name,
                                const std::filesystem::path& path, const char* so = "");

/// Gives every tensor, or every parameter, the file's tensor of its name. Throws std::runtime_error with
/// `path`, and changes nothing, when a name is missing or left over, a shape differs, or a number is not
/// finite.
void assign_tensors(const std::vector<std::pair<std::string, Tensor*>>& tensors, const NamedTensors& file,
                    const std::filesystem::path& path);
void assign_parameters(const std::vector<NamedParameter>& parameters, const NamedTensors& file,
                       const std::filesystem::path& path);

}  // namespace dale
