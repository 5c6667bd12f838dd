// Grey pictures as PNG. A picture is (1,H,W) or (H,W) with 0 black and 1 white; the file has 8 bits a pixel,
// so that reading what was written gives back each value within 1/510.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace dale {

/// A picture may have at most so many pixels a side, in files read and written.
constexpr Index max_image_side = 1 << 14;

/// The PNG file of a (1,H,W) or (H,W) picture, clamped to [0,1] and rounded to 8 bits. Throws
/// std::invalid_argument for another shape and for a value that is not finite.
std::string png_bytes(const Tensor& image);
/// png_bytes through write_file.
void write_png(const std::filesystem::path& path, const Tensor& image);
/// (1,H,W) in [0,1]; grey is the mean of the colours, transparency is ignored, 16 bits become 8. Throws
/// std::runtime_error when the file is not a whole PNG, its checksums included, or claims more pixels than
/// its bytes can hold.
Tensor read_png(const std::filesystem::path& path);
/// The same from a file's bytes; `path` is for the message.
Tensor png_image(std::string_view bytes, const std::filesystem::path& path);

/// Images (N,1,H,W), row by row in so many columns, as one picture (1,GH,GW): each pixel a zoom × zoom
/// square, `gap` white pixels between neighbours, white where the last row ends early. Throws
/// std::invalid_argument for another shape, no images, columns or zoom < 1, gap < 0, or too large a picture.
Tensor image_grid(const Tensor& images, Index columns, Index gap = 2, Index zoom = 1);

}  // namespace dale
