// Pictures and their files. A picture is (C,H,W), with C = 1 for grey or 3 for red, green and blue, or (H,W)
// where it is grey; 0 is black and 1 is white. A file has 8 bits a sample, so that reading what was written
// as PNG gives back each value within 1/510. JPEG is read and never written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

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

/// Throws std::runtime_error with the path unless a file is a whole PNG or JPEG, by what image_whole.cpp says
/// of either: the decoders make up what is missing.
void expect_whole(std::string_view bytes, const std::string& path);
/// A file's bytes, PNG or JPEG as their first bytes say; `path` is for the message. How a camera was held (a
/// JPEG's metadata) is not looked at. Throws std::runtime_error for a file of another kind, one that is not
/// whole (a PNG's checksums included), that is an animation, has a JPEG's colours in another number (CMYK)
/// or coding than expected, or claims more pixels than its bytes can hold.
ImageFile image_of(std::string_view bytes, const std::filesystem::path& path);

/// The same picture, (C,H,W) or (N,C,H,W), in so many colours: 1 is grey, which means the mean of the colours
/// here; 3 repeats what is grey. What has as many is returned as it is. Throws std::invalid_argument for
/// other numbers and shapes.
Tensor in_colours(const Tensor& image, Index colours);

/// image_of's pixels in_colours, for the file at `path`.
Tensor read_image(const std::filesystem::path& path, Index colours);

/// Pictures (C,H,W) or (N,C,H,W) as (…,height,width). Of each, the largest window of the target's
/// proportions is taken, in whole pixels and from the middle, and then  y = A x Bᵀ  with a matrix for each
/// axis. The rows of a matrix sum to 1; from n pixels to m, row i is
///   m ≤ n  how much of [i n/m, (i + 1) n/m] each pixel [j, j + 1] covers, over n/m: the mean of an area;
///   m > n  linear between the two pixels whose centres j + 1/2 are about (i + 1/2) n/m, and at the rim the
///          outermost pixel.
/// What has the size is thereby left as it is, bit for bit. Throws std::invalid_argument for another shape
/// or none of these, and for sides below 1 or above max_image_side.
Tensor resized(const Tensor& images, Index height, Index width);

/// Images (N,1,H,W) or (N,3,H,W), row by row in so many columns, as one picture (C,GH,GW): each pixel a
/// zoom × zoom square, `gap` white pixels between neighbours, white where the last row ends early. Throws
/// std::invalid_argument for another shape, no images, columns or zoom < 1, gap < 0, or too large a picture.
Tensor image_grid(const Tensor& images, Index columns, Index gap = 2, Index zoom = 1);

/// An animated PNG, which every browser shows; programs that do not know of animations show its first frame.
/// The pictures are of one shape, each as png_bytes takes it, shown for so many milliseconds each but for the
/// last, which is shown for a second; then again, for ever. Throws std::invalid_argument for no frames,
/// different shapes, and times that 16 bits do not hold or that are 0.
std::string apng_bytes(const std::vector<Tensor>& frames, int milliseconds);

}  // namespace dale
