// The file formats: what is written comes back, known bytes, and tables of broken files.
// A row is a file's bytes and a fragment of what is said of it, in one line that names the file.
#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/data/idx.h"
#include "experiments/pictures/image.h"
#include "nn/checkpoint.h"
#include "tensor/npy.h"
#include "tests/folder.h"

using namespace dale;
using Path = fs::path;
using Bad = std::runtime_error;
using Caller = std::invalid_argument;
using Strings = std::vector<std::string>;
using Rows = std::vector<std::pair<std::string, std::string>>;

namespace {

template <class Error> void refuses(const auto& act, const std::string& message, const Path& path = "") {
  std::string said = "nothing was thrown";
  try {
    act();
  } catch (const Error& error) { said = error.what(); }
  CHECK_THAT(said, Contains(message) && Contains(path.string()) && !Contains("\n"));
}

void refuses_files(const auto& read, const Rows& rows) {
  const Folder folder;
  const Path path = folder / "broken";
  refuses<Bad>([&] { read(path); }, "cannot read " + path.string() + ": No such file");
  for (const auto& [bytes, message] : rows) {
    write_file(path, bytes);
    refuses<Bad>([&] { read(path); }, message, path);
  }
}

template <class Number> std::string bytes_of(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)};
}

std::string npy(const std::string& header, const std::string& data = "") {
  const std::uint16_t length = static_cast<std::uint16_t>(header.size());
  return std::string("\x93NUMPY\x01\x00", 8) + bytes_of<std::uint16_t>({length}) + header + data;
}
std::string npy_of(const std::string& type, const std::string& order, const std::string& shape) {
  return npy("{'descr':" + type + ",'fortran_order':" + order + ",'shape':" + shape + "}", std::string(8, 0));
}

/// JSON is given with ' for ".
std::string safetensors(std::string json, const std::string& data = std::string(8, 0)) {
  std::replace(json.begin(), json.end(), '\'', '"');
  return bytes_of<std::uint64_t>({json.size()}) + json + data;
}
std::string entry(const std::string& shape, const std::string& range, const std::string& dtype = "'F32'") {
  return "{'dtype':" + dtype + ",'shape':" + shape + ",'data_offsets':" + range + "}";
}
std::string one(const std::string& shape, const std::string& range, const std::string& dtype = "'F32'") {
  return safetensors("{'a':" + entry(shape, range, dtype) + "}");
}

std::string idx(const std::vector<std::uint32_t>& head, std::size_t bytes, char value = 0) {
  return idx_head(head) + std::string(bytes, value);
}
void same(const Tensor& x, const Tensor& y) {
  CHECK(x.shape() == y.shape());
  CHECK(x.to_vector() == y.to_vector());
}

const std::vector<real> six = {0, 1, -2, 0.5, 1024, -0.125};
const std::string one_minus_two("\0\0\x80\x3f\0\0\0\xc0", 8);
const real inf = std::numeric_limits<real>::infinity();

}  // namespace

TEST_CASE("a file is written whole or not at all; a folder is made and tried", "[files]") {
  const Folder folder;
  for (int twice = 0; twice < 2; ++twice) make_folder(folder / "taken/inside");
  CHECK(fs::is_empty(folder / "taken/inside"));
  for (const std::string& bytes : {std::string("old"), one_minus_two}) {
    write_file(folder / "file", bytes);
    CHECK(read_file(folder / "file") == bytes);
  }
  fs::create_symlink("/dev/full", folder / "full.tmp");
  const Rows names = {{"nowhere/x", "No such file or directory"},
                      {"file/x", "Not a directory"},
                      {"full", "No space left on device"},
                      {"taken", "Is a directory"}};
  for (const auto& [name, reason] : names) {
    const std::string path = folder / name.c_str();
    refuses<Bad>([&] { write_file(path, "x"); }, "cannot write " + path + ": " + reason);
    CHECK_FALSE(fs::exists(fs::symlink_status(path + ".tmp")));
    CHECK(fs::exists(path) == (name == "taken"));
  }
  refuses<Bad>([&] { read_file(folder.path); }, ": Is a directory", folder.path);
  for (const Path& path : {folder / "file", folder / "file/x"})
    refuses<Bad>([&] { make_folder(path); }, "cannot make the folder " + path.string() + ": Not a directory");
  refuses<Bad>([] { make_folder("/proc"); }, "cannot write into the folder /proc: ");
}

TEST_CASE("npy: round trips and known bytes", "[files]") {
  const Folder folder;
  const Path path = folder / "x.npy";
  for (const Tensor& x : {Tensor({2, 3}, six), Tensor({6}, six), Tensor({1, 2, 1, 3, 1, 1}, six),
                          Tensor({}, std::vector<real>{7}), Tensor({0, 4})}) {
    write_npy(path, x);
    same(read_npy(path), x);
  }
  write_npy(path, Tensor({1, 2}, {1, -2}));
  const std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  CHECK(read_file(path) == npy(dict + std::string(58, ' ') + "\n", one_minus_two));
  write_file(path, npy("{\"shape\":(2,),'descr':'<f8','fortran_order':False}", bytes_of<double>({0.25, -3})));
  same(read_npy(path), Tensor({2}, {0.25, -3}));
  CHECK_FALSE(npy_of_bytes(read_file(path), "x"));
  const std::string fortran = npy("{'descr':'|u1','fortran_order':True,'shape':(2,3)}", "\1\4\2\5\3\xff");
  same(npy_array(fortran, "x"), Tensor({2, 3}, {1, 2, 3, 4, 5, 255}));
  CHECK(npy_array(fortran, "x").contiguous());
  CHECK(npy_of_bytes(fortran, "x"));
  refuses<Bad>([&] { npy_of_bytes(fortran.substr(0, 40), "x"); }, "truncated inside its header", "x");

  const std::string good = npy_of("'<f4'", "False", "(2,)");
  Rows rows = {
      {"", "not a NumPy file; expected it to start with \\x93NUMPY"},
      {"\x93NUMPY\x02" + good.substr(7), "npy version 2.0; expected 1.0"},
      {good.substr(0, 9), "truncated inside its header"},
      {good.substr(0, 40), "truncated inside its header; expected 60 bytes of it"},
      {good.substr(0, good.size() - 1), "truncated: 7 bytes of elements; expected 8 for '<f4' (2)"},
      {good + "x", "trailing bytes: 9 bytes of elements; expected 8 for '<f4' (2)"},
      {npy_of("'>f4'", "False", "(2,)"), "dtype '>f4'; expected '<f4', '<f8' or '|u1'"},
      {npy_of("[('x', '<f4')]", "False", "(2,)"), "a structured dtype; expected '<f4' or '<f8'"},
      {npy_of("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 2)"), "too many axes; expected at most 6"},
      {npy_of("'\n<f4'", "False", "(2,3)"), "dtype '?<f4'; expected"},
      {npy_of("'<f4'", "False", "(9223372036854775808,)"), "a size overflows; expected 63 bits"},
      {npy_of("'<f4'", "False", "(0, 4294967296, 4294967296)"), "overflows; expected less than 2^63 bytes"},
  };
  for (const char* header :
       {"", "{", "{}", "{'descr': 4}", "{'descr': '<f4}", "{'descr': '', 'descr': ''}", "{'colour': 'red'}",
        "{'fortran_order': Maybe}", "{'shape' ()}", "{'shape': 2}", "{'shape': (2", "{'shape': (2,,)}",
        "{'shape': (1 2)}", "{'shape': (-2,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x"})
    rows.emplace_back(npy(header), "unreadable header; expected a dict of descr, fortran_order and shape");
  refuses_files(read_npy, rows);
}

TEST_CASE("png: round trips, grids and errors", "[files]") {
  const Folder folder;
  write_png(folder / "x.png", Tensor({1, 2, 3}, {0, 1, real(51) / 255, -4, real(0.5), 7}));
  same(read_image(folder / "x.png", 1), Tensor({1, 2, 3}, {0, 1, real(51) / 255, 0, real(128) / 255, 1}));
  const std::string good = png_bytes(Tensor({2, 3}, six));
  CHECK(good == png_bytes(Tensor({1, 2, 3}, six)));

  same(image_grid(Tensor({3, 1, 1, 2}, {0, real(0.5), 0, 0, real(0.25), 0}), 2, 1, 2),
       Tensor({1, 5, 9}, {0, 0, .5, .5, 1,   0,   0, 0, 0, 0, 0, .5, .5, 1,   0,   0, 0, 0, 1, 1, 1, 1, 1,
                          1, 1, 1,  1,  .25, .25, 0, 0, 1, 1, 1, 1,  1,  .25, .25, 0, 0, 1, 1, 1, 1, 1}));
  const Tensor dot({1, 1, 1, 1}, std::vector<real>{0}), flat({2, 3}, six);
  refuses<Caller>([&] { png_bytes(dot); }, "[png] a picture has shape (1,H,W), (3,H,W) or (H,W), not (1,");
  refuses<Caller>([] { png_bytes(Tensor({0, 3})); }, "[png] a picture of 0x3 pixels; each side must");
  refuses<Caller>([] { png_bytes(Tensor({1, 16385})); }, "1x16385 pixels; each side must have 1 to 16384");
  refuses<Caller>([] { png_bytes(Tensor({1, 2}, {0, inf})); }, "[png] pixel 1 is inf; a picture must be fin");
  refuses<Caller>([] { png_bytes(Tensor({1, 2}, {inf - inf, 0})); }, "[png] pixel 0 is ");
  refuses<Caller>([&] { image_grid(flat, 1); }, "have shape (N,1,H,W) or (N,3,H,W) with none of these 0");
  refuses<Caller>([&] { image_grid(dot, 0); }, "columns 0, gap 2 and zoom 1 must be at least 1, 0 and 1");
  refuses<Caller>([&] { image_grid(dot, 9999); }, "the grid has 1x29995 pixels; each side must have");
  // clang-format off
  refuses_files([](const fs::path& path) { return read_image(path, 1); }, {
      {good.substr(0, 20), "; expected a whole PNG file"},
      {good.substr(0, good.size() - 12), "; expected a whole PNG file"},
      {good.substr(0, 16) + "\x7f" + good.substr(17), "a checksum does not match; expected a whole PNG file"},
      {good + "x", "trailing bytes; expected a whole PNG file"},
  });
  // clang-format on
}

TEST_CASE("safetensors: round trips, known bytes, and what is not written", "[files]") {
  const Folder folder;
  const Path path = folder / "x.safetensors";
  const Tensor unit({}, std::vector<real>{7});
  const NamedTensors state{{{"z", Tensor({6}, six)}, {"a", unit}, {"none", Tensor({0, 2})}}, {{"é", "\"\n"}}};
  write_safetensors(path, state);
  const NamedTensors back = read_safetensors(path);
  CHECK(back.metadata == state.metadata);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back.tensors.at(i).first == state.tensors[i].first);
    same(back.tensors[i].second, state.tensors[i].second);
  }
  same(back.at("a"), unit);
  refuses<Caller>([&] { back.at("nome"); }, "unknown tensor 'nome'; did you mean 'none'?");
  write_file(path, safetensors("{'x':" + entry("[1]", "[0,8]", "'F64'") + "}", bytes_of<double>({-0.75})));
  same(read_safetensors(path).at("x"), Tensor({1}, std::vector<real>{-0.75}));
  write_safetensors(path, {{{"a", Tensor({2}, {1, -2})}}, {}});
  const std::string metadata = "'__metadata__':{'crc32':'c3872656'}";
  const std::string known =
      safetensors("{" + metadata + ",'a':" + entry("[2]", "[0,8]") + "}      ", one_minus_two);
  CHECK(read_file(path) == known);

  const auto write = [&](const std::string& name, real value) {
    const NamedTensors named{{{"a", unit}, {name, Tensor({2}, {0, value})}}, {}};
    return [&path, named] { write_safetensors(path, named); };
  };
  for (real bad : {inf, inf - inf})
    refuses<Bad>(write("bad", bad), " was not written: element 1 of tensor 'bad' is ", path);
  refuses<Caller>(write("a", 1), "the name 'a' is taken; each tensor needs its own");
  refuses<Caller>(write("__metadata__", 1), "the name '__metadata__' is taken");
  refuses<Caller>(write("\xff", 1), "a name or the metadata is not UTF-8", path);
  CHECK(read_file(path) == known);

  // No bit of the elements or of the metadata's values can change unseen.
  write_safetensors(path, {{{"a", Tensor({2}, {1, -2})}}, {{"step", "600"}}});
  const std::string whole = read_file(path);
  const std::size_t step = whole.find("\"600\"") + 1;
  for (std::size_t bit = 0; bit < 88; ++bit) {
    INFO("bit " << bit);
    std::string flipped = whole;
    flipped[bit < 64 ? whole.size() - 8 + bit / 8 : step + bit / 8 - 8] ^= static_cast<char>(1 << bit % 8);
    write_file(path, flipped);
    CHECK_THROWS_AS(read_safetensors(path), std::runtime_error);
  }
  refuses<Bad>([&] { read_safetensors(path); }, "expected", path);
}

TEST_CASE("safetensors: broken files", "[files]") {
  const std::string a = "{'a':" + entry("[1]", "[0,4]") + ",", nul("{}\0", 3);
  const std::string lacks = "; expected dtype, shape and data_offsets";
  Rows rows = {
      {"1234567", "7 bytes; expected a safetensors file, which has at least 8"},
      {bytes_of<std::uint64_t>({~0ull}) + "{}", "709551615 bytes, longer than the file; expected at most 2"},
      {safetensors("[1]"), "the header is a JSON array; expected an object"},
      {safetensors(std::string(1000000, '[')), "the header nests deeper than expected: at most 3 levels"},
      {safetensors("{'a':[]}"), "'a' lacks dtype" + lacks},
      {safetensors("{'a':{'dtype':'F32'}}"), "'a' lacks shape" + lacks},
      {safetensors("{'a':{'dtype':'F32','shape':[2]}}"), "'a' lacks data_offsets" + lacks},
      {safetensors("{'__metadata__':{'step':1}}"), "unreadable __metadata__; expected an object of strings"},
      {safetensors("{'__metadata__':[]}"), "unreadable __metadata__"},
      {one("[4]", "[0,8]", "'BF16'"), "'a' has the dtype \"BF16\"; expected F32 or F64"},
      {one("[2]", "[0,8]", "32"), "'a' has the dtype 32; expected F32 or F64"},
      {one("[2]", "[0,4,8]"), "'a' has 3 data_offsets; expected 2"},
      {one("[1,1,1,1,1,1,2]", "[0,8]"), "'a' has 7 axes; expected at most 6"},
      {one("[4294967296,4294967296,0]", "[0,8]"), "'a' has a shape that overflows; expected less"},
      {one("[3]", "[0,8]"), "'a' has the range [0, 8); expected 12 bytes for shape (3) of \"F32\""},
      {one("[2]", "[8,0]"), "'a' has the range [8, 0); expected 8 bytes"},
      {one("[2]", "[8,16]"), "'a' ends at 16, past the end; expected at most 8"},
      {safetensors("{'__metadata__':{'crc32':'0'},'a':" + entry("[2]", "[0,8]") + "}"),
       "damaged: the CRC-32 of what it holds is "},
      {one("[1]", "[0,4]"), "a hole at the end; expected 4 bytes of data, not 8"},
      {one("[1]", "[4,8]"), "a hole where 'a' begins at 4; expected 0"},
      {safetensors(a + "'b':" + entry("[1]", "[0,4]") + "}"), "overlap where 'b' begins at 0; expected 4"},
      {safetensors(a + "'a':" + entry("[1]", "[4,8]") + "}"), "duplicate name 'a'; expected each name once"},
  };
  std::string many;
  for (int i = 0; i < 300'000; ++i) many += fmt::format("{}'{}':{}", i ? "," : "{", i, entry("[0]", "[0,0]"));
  rows.emplace_back(safetensors(many + "}"), "a header of more than 10000 objects; expected fewer tensors");
  for (const std::string& json : Strings{"", "{'a':", "{'\xff':1}", nul})
    rows.emplace_back(safetensors(json), "the header is not JSON; expected a JSON object");
  for (const char* shape : {"2", "[-2]", "[2.0]", "['2']"})
    rows.emplace_back(one(shape, "[0,8]"), "unreadable shape of 'a'; expected whole numbers in [0, 2^63)");
  for (const char* range : {"8", "[-8,0]", "[0,18446744073709551616]", "[0,9223372036854775808]"})
    rows.emplace_back(one("[2]", range), "unreadable data_offsets of 'a'; expected whole num");
  refuses_files(read_safetensors, rows);

  const Folder folder;  // numbers that are not finite can be read, and make no network
  write_file(folder / "nan", safetensors("{'a':" + entry("[2]", "[0,8]") + "}", bytes_of<float>({1, NAN})));
  Tensor five = Tensor::full({2}, 5);
  refuses<Bad>(
      [&] {
        assign_tensors({{"a", &five}}, read_safetensors(folder / "nan"), folder / "nan");
      },
      "tensor 'a' holds nan; expected finite numbers", folder / "nan");
  same(five, Tensor::full({2}, 5));
}

TEST_CASE("idx: broken files", "[files]") {
  const Folder folder;
  const std::string labels = idx({0x801, 3}, 3), gz = gzipped(labels);
  std::string flipped = gz;
  flipped[gz.size() - 8] ^= 1;  // the checksum
  // clang-format off
  refuses_files(read_idx_labels, {
      {labels.substr(0, 7), "7 bytes; expected a header of 8"},
      {idx({0x803, 1, 1, 1}, 1), "magic number 0x00000803; expected 0x00000801"},
      {labels.substr(0, 10), "truncated: 2 bytes; expected 3 for shape (3)"},
      {idx({0x801, 0xffffffff}, 3), "truncated: 3 bytes; expected 4294967295"},
      {labels + "x", "trailing bytes; expected 3 for (3)"},
      {gz.substr(0, 5), "unexpected end of file; expected a whole idx file, gzipped or not"},
      {gz.substr(0, gz.size() - 9), "unexpected end of file"},
      {gz.substr(0, gz.size() - 1), "unexpected end of file"},
      {flipped, "incorrect data check; expected a whole idx file"},
  });
  refuses_files(read_idx_images, {
      {labels, "magic number 0x00000801; expected 0x00000803"},
      {idx({0x803, 1, 2, 2}, 3), "truncated: 3 bytes; expected 4 for shape (1,2,2)"},
      {idx({0x803, 0, 0xffffffff, 0xffffffff}, 3), "overflows; expected less than 2^63 bytes"},
      {idx({0x803, 0, 0x7fffffff, 0x7b000000}, 3), "overflows; expected less than 2^63 bytes"},
  });
  // clang-format on
}
