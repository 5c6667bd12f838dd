// NumPy's .npy: the bytes \x93NUMPY, a version, the length of a header, the header (a Python dict literal,
// padded with spaces so that what follows starts at a multiple of 64 bytes), and the elements. A header reads
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
// Samples are kept in this form, because every tool of the trade opens it.
#pragma once

#include <filesystem>
#include <string_view>

#include "tensor/tensor.h"

namespace dale {

/// Version 1.0, little-endian float32 in C order, whatever `real` is. Throws std::runtime_error (see file.h).
void write_npy(const std::filesystem::path& path, const Tensor& x);

/// An array of '<f4', '<f8' or '|u1' (whole numbers 0 … 255) in C order or Fortran's (the first axis is the
/// one that lies side by side), version 1.0, at most six axes. Throws std::runtime_error for anything else,
/// and for a file whose length is not what its header says.
Tensor read_npy(const std::filesystem::path& path);
/// The same from a file's bytes; `name` is for the message.
Tensor npy_array(std::string_view file, const std::string& name);
/// Whether its elements are '|u1', as those of pictures in units of 1/255 are. Throws as npy_array for a
/// header that is none.
bool npy_of_bytes(std::string_view file, const std::string& name);

}  // namespace dale
