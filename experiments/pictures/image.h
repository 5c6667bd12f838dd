// Pictures and their files. A picture is (C,H,W), with C = 1 for grey or 3 for red, green and blue, or (H,W)
// where it is grey; 0 is black and 1 is white. A file has 8 bits a sample, so that reading what was written
// as PNG gives back each value within 1/510. JPEG is read and never written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace dale {

/// A picture may have at most so many pixels a side, in files read and written.
constexpr Index max_image_side = 1 << 14;

/// The PNG file of a picture, clamped to [0,1] and rounded to 8 bits. Throws std::invalid_argument for
/// another shape and for a value that is not finite.
std::string png_bytes(const Tensor& image);
/// png_bytes through write_file.
void write_png(const std::filesystem::path& path, const Tensor& image);

/// What a file holds. Whoever reads pictures can say from it what the array has lost.
struct ImageFile {
  Tensor pixels;             ///< (1,H,W) or (3,H,W), as the file has them; colours of a palette are three
  bool transparent = false;  ///< the file says how transparent pixels are, which was dropped
  bool deep = false;         ///< it has 16 bits a sample, of which the upper 8 were kept
};

/// A file's bytes, PNG or JPEG as their first bytes say; `path` is for the message. How a camera was held (a
/// JPEG's metadata) is not looked at. Throws std::runtime_error for a file of another kind, one that is not
/// whole (a PNG's checksums included), that is an animation, has a JPEG's colours in another number (CMYK)
/// or coding than expected, or claims more pixels than its bytes can hold.
ImageFile image_of(std::string_view bytes, const std::filesystem::path& path);

/// The mean of the colours, which is what grey means here: (C,H,W) → (1,H,W), (N,C,H,W) → (N,1,H,W). What is
/// grey is returned as it is. Throws std::invalid_argument for another rank and C = 0.
Tensor grey_of(const Tensor& image);
/// The same picture in so many colours: 1 averages, 3 repeats what is grey. Shapes as for grey_of. Throws
/// std::invalid_argument for other numbers.
Tensor in_colours(const Tensor& image, Index colours);

/// image_of's pixels in_colours, for the file at `path`.
Tensor read_image(const std::filesystem::path& path, Index colours);
/// A PNG file as grey (1,H,W): transparency is ignored. Throws as image_of, and for a JPEG.
Tensor read_png(const std::filesystem::path& path);
/// The same from a file's bytes.
Tensor png_image(std::string_view bytes, const std::filesystem::path& path);

/// Images (N,1,H,W) or (N,3,H,W), row by row in so many columns, as one picture (C,GH,GW): each pixel a
/// zoom × zoom square, `gap` white pixels between neighbours, white where the last row ends early. Throws
/// std::invalid_argument for another shape, no images, columns or zoom < 1, gap < 0, or too large a picture.
Tensor image_grid(const Tensor& images, Index columns, Index gap = 2, Index zoom = 1);

}  // namespace dale
