// Whether a picture's file is whole. The decoders (image.cpp) believe what a file says of its sizes and of
// its tables, compare no checksum and make up what is missing, so all of that is looked at before.
#pragma once

#include <string>
#include <string_view>

namespace dale {

constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n", jpeg_signature = "\xff\xd8\xff";

/// Throws std::runtime_error with the path unless chunks fill the file, each with its checksum, to a single
/// picture whose pixels can be in them. REQUIRES the signature; so does expect_jpeg.
void expect_png(std::string_view bytes, const std::string& path);
/// The same unless segments lead to the mark of the end, with tables that are some, a frame of grey or of
/// three colours, each of these in a scan, and blocks that can be in the scans. Bytes after the end are left
/// alone: cameras append to it.
void expect_jpeg(std::string_view bytes, const std::string& path);

}  // namespace dale
