// The header is read by a cursor over the few forms of literal that NumPy writes there: quoted strings, True
// and False, and a tuple of whole numbers.
#include "tensor/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <string_view>

#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t preamble = 10;  // magic, two bytes of version, two of header length

struct Header {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  std::size_t length = 0;  // of all that comes before the elements
};

class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string path) : text_(text), path_(std::move(path)) {}

  Header read() {
    Header header;
    std::set<std::string> keys;
    sequence("{", "}", [&] {
      const std::string key = quoted();
      expect(keys.insert(key).second && take(":"));
      if (key == "descr") {
        if (take("[")) failed("{}: a structured dtype; expected '<f4' or '<f8'", path_);
        header.descr = quoted();
      } else if (key == "fortran_order") {
        header.fortran_order = take("True");
        expect(header.fortran_order || take("False"));
      } else {
        expect(key == "shape");
        sequence("(", ")", [&] { append_size(header.shape); });
      }
    });
    take("");
    expect(keys.size() == 3 && text_.empty());
    return header;
  }

 private:
  void expect(bool holds) const {
    if (!holds) failed("{}: unreadable header; expected a dict of descr, fortran_order and shape", path_);
  }
  /// Skips space, then `word` if it comes next.
  bool take(std::string_view word) {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \n"), text_.size()));
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  /// Items with commas between them and perhaps after the last, as in Python.
  void sequence(std::string_view open, std::string_view close, const auto& read_item) {
    expect(take(open));
    for (bool more = true; !take(close); more = take(",")) {
      expect(more);
      read_item();
    }
  }
  std::string quoted() {
    const bool apostrophe = take("'");
    expect(apostrophe || take("\""));
    const std::size_t end = text_.find(apostrophe ? '\'' : '"');
    expect(end != text_.npos);
    const std::string word(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return word;
  }
  void append_size(Shape& shape) {
    if (shape.rank() == Dims::max_rank) failed("{}: too many axes; expected at most 6", path_);
    take("");
    Index size = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
    if (error == std::errc::result_out_of_range) failed("{}: a size overflows; expected 63 bits", path_);
    expect(error == std::errc() && size >= 0);
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    shape.push_back(size);
  }

  std::string_view text_;
  std::string path_;
};

Header npy_header(std::string_view file, const std::string& name) {
  const auto byte = [&file](std::size_t i) { return i < file.size() ? file[i] & 0xff : 0; };
  if (!file.starts_with(magic)) failed("{}: not a NumPy file; expected it to start with \\x93NUMPY", name);
  if (byte(6) != 1 || byte(7) != 0) failed("{}: npy version {}.{}; expected 1.0", name, byte(6), byte(7));
  const std::size_t start = preamble + static_cast<std::size_t>(byte(8) + 256 * byte(9));
  if (file.size() < start) failed("{}: truncated inside its header; expected {} bytes of it", name, start);
  Header header = HeaderReader(file.substr(preamble, start - preamble), name).read();
  header.length = start;
  return header;
}

}  // namespace

void write_npy(const std::filesystem::path& path, const Tensor& x) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}", fmt::join(x.shape(), ", "),
                  x.rank() == 1 ? "," : "");  // (3,) is a tuple to Python, (3) a number
  header.append(63 - (preamble + header.size()) % 64, ' ');
  header += '\n';

  std::string bytes(magic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  write_file(path, bytes + header + tensor_bytes(x));
}

Tensor read_npy(const std::filesystem::path& path) { return npy_array(read_file(path), path.string()); }

bool npy_of_bytes(std::string_view file, const std::string& name) {
  return npy_header(file, name).descr == "|u1";
}

Tensor npy_array(std::string_view file, const std::string& name) {
  const Header header = npy_header(file, name);
  const Index width = header.descr == "|u1" ? 1 : header.descr == "<f4" ? 4 : header.descr == "<f8" ? 8 : 0;
  if (width == 0) failed("{}: dtype '{}'; expected '<f4', '<f8' or '|u1'", name, header.descr);
  const std::string_view data = file.substr(header.length);
  const Index found = static_cast<Index>(data.size());
  const auto expected = byte_count(header.shape, width);
  if (!expected) failed("{}: the shape {} overflows; expected less than 2^63 bytes", name, str(header.shape));
  if (found != *expected)
    failed("{}: {}: {} bytes of elements; expected {} for '{}' {}", name,
           found < *expected ? "truncated" : "trailing bytes", found, *expected, header.descr,
           str(header.shape));

  const int rank = header.shape.rank();
  Shape shape;  // as the elements lie in the file
  Axes axes;    // of the file's array, in the order of ours
  for (int i = 0; i < rank; ++i) {
    axes.push_back(header.fortran_order ? rank - 1 - i : i);
    shape.push_back(header.shape[axes.back()]);
  }
  return tensor_from_bytes(shape, data, width).permute(axes).packed();
}

}  // namespace dale
