// idx files, in which MNIST came and its successors followed, gzipped or not: a magic number, one size an
// axis (all of 32 bits, the high byte first), and unsigned bytes.
#pragma once

#include <filesystem>
#include <string>

#include "tensor/tensor.h"

namespace dale {

/// What is wrong with a file, in the compression too, is a std::runtime_error (see tensor/file.h).

/// (N,1,H,W) in [0,1], of an idx file with magic 0x00000803.
Tensor read_idx_images(const std::filesystem::path& path);
/// (N), of an idx file with magic 0x00000801.
IntTensor read_idx_labels(const std::filesystem::path& path);

/// The first `limit` bytes of a file, fewer if it has fewer, decompressed where it is gzipped.
std::string read_gzip(const std::filesystem::path& path, std::uint64_t limit = ~0ull);

/// MD5 as 32 hexadecimal digits. It is the digest the data sets are published with, and tells damage, not
/// malice.
std::string md5(std::string_view bytes);

}  // namespace dale
