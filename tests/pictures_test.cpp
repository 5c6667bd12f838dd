// Pictures in colour and their files, against formulas and against files that no one here wrote; grids, other
// sizes, animations. The grey PNG's round trip and its broken files are in files_test.cpp.
#include "experiments/pictures/animation.h"
#include "experiments/pictures/image.h"
#include "experiments/pictures/resize.h"
#include "tests/compare.h"
#include "tests/folder.h"

using namespace dale;

namespace {

void same(const Tensor& x, const Tensor& y) {
  CHECK(x.shape() == y.shape());
  CHECK(x.to_vector() == y.to_vector());
}
/// So many 255ths.
Tensor bytes(const Shape& shape, const std::vector<int>& values) {
  std::vector<real> v;
  for (int b : values) v.push_back(static_cast<real>(b) / 255);
  return Tensor(shape, v);
}

void refuses(const std::string& file, const std::string& message) {
  REFUSES(image_of(file, "some.file"), "some.file: " + message);
}

const std::string jpegs = "tests/fixtures/";
constexpr double rounding = 4 * std::numeric_limits<real>::epsilon();

/// Element i is f(i).
Tensor made(const Shape& shape, const auto& f) {
  std::vector<real> v(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<real>(f(static_cast<Index>(i)));
  return Tensor(shape, v);
}

struct Chunk {
  std::string letters, data, whole;
};
/// A PNG's, their checksums compared.
std::vector<Chunk> chunks_of(const std::string& png) {
  std::vector<Chunk> chunks;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t length = big_endian(std::string_view(png).substr(at));
    chunks.push_back({png.substr(at + 4, 4), png.substr(at + 8, length), png.substr(at, length + 12)});
    CHECK(png.substr(at + 8 + length, 4) == crc_of(chunks.back().letters + chunks.back().data));
    at += length + 12;
  }
  return chunks;
}

}  // namespace

TEST_CASE("png in colour: round trip, every kind of file, and what was dropped", "[files][images]") {
  const Tensor picture = bytes({3, 1, 2}, {255, 0, 51, 102, 7, 255});
  const std::string png = png_bytes(picture);
  same(image_of(png, "").pixels, picture);
  CHECK(png.substr(24, 2) == std::string("\x08\x02"));
  const Folder folder;
  write_png(folder / "x.png", picture);
  CHECK(read_file(folder / "x.png") == png);
  REFUSES(png_bytes(Tensor({2, 1, 2})), "(1,H,W), (3,H,W) or (H,W), not (2,1,2)");
  REFUSES(png_bytes(Tensor({3, 1, 2}, {0, 0, 0, NAN, 0, 0})), "[png] pixel 1 is ");

  const std::string palette = png_chunk("PLTE", std::string("\xff\0\0\0\x33\xff", 6)), zero(1, '\0');
  const std::string two = zero + "\x01\x02\x03\x04\x05\x06\x07\x08";
  struct Row {
    const char* what;
    std::string png;
    Tensor pixels;
    bool transparent, deep;
  };
  // clang-format off
  const std::vector<Row> rows = {
      {"grey", png_of(8, 1, 8, 0, two), bytes({1, 1, 8}, {1, 2, 3, 4, 5, 6, 7, 8}), false, false},
      {"grey, a bit", png_of(3, 1, 1, 0, zero + "\xa0"), bytes({1, 1, 3}, {255, 0, 255}), false, false},
      {"grey, 16 bits", png_of(4, 1, 16, 0, two), bytes({1, 1, 4}, {1, 3, 5, 7}), false, true},
      {"grey and alpha", png_of(4, 1, 8, 4, two), bytes({1, 1, 4}, {1, 3, 5, 7}), true, false},
      {"grey and alpha, 16 bits", png_of(2, 1, 16, 4, two), bytes({1, 1, 2}, {1, 5}), true, true},
      {"grey, one transparent", png_of(8, 1, 8, 0, two, png_chunk("tRNS", zero + "\4")),
       bytes({1, 1, 8}, {1, 2, 3, 4, 5, 6, 7, 8}), true, false},
      {"palette", png_of(3, 1, 1, 3, zero + "\x40", palette),
       bytes({3, 1, 3}, {255, 0, 255, 0, 51, 0, 0, 255, 0}), false, false},
      {"palette, one transparent", png_of(3, 1, 1, 3, zero + "\x40", palette + png_chunk("tRNS", zero)),
       bytes({3, 1, 3}, {255, 0, 255, 0, 51, 0, 0, 255, 0}), true, false},
      {"colour and alpha", png_of(2, 1, 8, 6, two), bytes({3, 1, 2}, {1, 5, 2, 6, 3, 7}), true, false},
      {"colour, one transparent", png_of(1, 1, 16, 2, two.substr(0, 7), png_chunk("tRNS", two.substr(1, 6))),
       bytes({3, 1, 1}, {1, 3, 5}), true, true},
  };
  // clang-format on
  for (const Row& row : rows) {
    INFO(row.what);
    const ImageFile file = image_of(row.png, "x");
    same(file.pixels, row.pixels);
    CHECK(file.transparent == row.transparent);
    CHECK(file.deep == row.deep);
    same(png_image(row.png, "x"), grey_of(row.pixels));
  }
  refuses("", "neither a PNG nor a JPEG");
  refuses("GIF89a", "neither a PNG nor a JPEG");
  refuses(png.substr(0, png.size() - 1), "truncated inside a chunk; expected a whole PNG file");
  refuses(png_of(16384, 16384, 8, 2, two), "more pixels than its bytes can hold; expected a whole PNG");
  refuses(png_of(4, 1, 8, 2, two), "not enough pixels; expected a whole PNG");
}

TEST_CASE("grey is the mean of the colours, in bytes, to the last bit", "[images]") {
  // Sums of 0 … 765 and 16384 triples of bytes: what read_png gave before there was colour.
  std::string rows;
  std::vector<real> mean;
  for (int y = 0; y < 64; ++y) {
    rows += '\0';
    for (int x = 0; x < 256; ++x) {
      const int b = (x * 7 + y * y * 13 + (y & 1 ? 0 : x)) & 255, g = y * 4 + (x & 3);
      for (int v : {x, g, b}) rows += static_cast<char>(v);
      mean.push_back(static_cast<real>(x + g + b) / static_cast<real>(765));
    }
  }
  const std::string png = png_of(256, 64, 8, 2, rows);
  same(png_image(png, "x"), Tensor({1, 64, 256}, mean));
  same(grey_of(image_of(png, "x").pixels), Tensor({1, 64, 256}, mean));

  const Tensor two = bytes({2, 3, 1, 1}, {3, 6, 9, 30, 60, 90}), grey = bytes({2, 1, 1, 1}, {6, 60});
  same(grey_of(two), grey);
  same(in_colours(two, 1), grey);
  same(in_colours(two, 3), two);
  same(in_colours(grey, 3), bytes({2, 3, 1, 1}, {6, 6, 6, 60, 60, 60}));
  same(in_colours(grey, 1), grey);
  REFUSES(grey_of(Tensor({2, 2})), "[grey_of] pictures have shape (C,H,W) or (N,C,H,W), not");
  REFUSES(in_colours(Tensor({2, 2, 2}), 3), "[in_colours] pictures have shape");
  REFUSES(in_colours(grey, 2), "[in_colours] 2 colours; expected 1 or 3");

  const Folder folder;
  write_file(folder / "x", png);
  same(read_image(folder / "x", 1), Tensor({1, 64, 256}, mean));
  same(read_image(folder / "x", 3), image_of(png, "x").pixels);
  write_png(folder / "x", Tensor({1, 64, 256}, mean));
  const Tensor repeated = read_image(folder / "x", 3);
  for (Index c : {0, 1, 2}) same(repeated.slice(0, c, c + 1), read_png(folder / "x"));
}

TEST_CASE("jpeg: baseline, progressive, grey, and broken files", "[files][images]") {
  // As tests/fixtures/pictures.py made them.
  std::vector<real> ramps;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 13; ++y)
      for (int x = 0; x < 19; ++x) ramps.push_back(c == 1 ? real(y) / 12 : real(c ? 18 - x : x) / 18);
  const Tensor colours({3, 13, 19}, ramps), grey = grey_of(colours);
  const std::string colour = read_file(jpegs + "colour.jpg"),
                    progressive = read_file(jpegs + "progressive.jpg");
  // The files' own losses: Pillow's decoder is off by 0.047, 0.024 and 0.005.
  CHECK(gap(image_of(colour, "x").pixels, colours) < 0.05);
  CHECK(gap(image_of(progressive, "x").pixels, colours) < 0.025);
  CHECK(gap(image_of(read_file(jpegs + "grey.jpg"), "x").pixels, grey) < 0.006);
  CHECK(gap(read_image(jpegs + "progressive.jpg", 1), grey) < 0.025);
  CHECK(read_image(jpegs + "grey.jpg", 3).shape() == Shape{3, 13, 19});
  REFUSES(read_png(jpegs + "grey.jpg"), "no PNG signature; expected a whole PNG file");
  const ImageFile file = image_of(colour + "a preview", "x");
  CHECK_FALSE(file.transparent);
  CHECK_FALSE(file.deep);
  same(file.pixels, image_of(colour, "x").pixels);
  // The same bits on every processor: the decoder has code of its own for some.
  CHECK(big_endian(crc_of(png_bytes(image_of(colour, "x").pixels) +
                          png_bytes(image_of(progressive, "x").pixels))) == 0x8054b697);

  const std::size_t frame = colour.find("\xff\xc0"), scan = colour.find("\xff\xda"),
                    table = colour.find("\xff\xc4");
  const auto with = [&](std::size_t at, const std::string& bytes) {
    return std::string(colour).replace(at, bytes.size(), bytes);
  };
  for (const std::string& whole : {colour, progressive})
    for (std::size_t length = 3; length < whole.size(); ++length)
      refuses(whole.substr(0, length), "ends early");
  // clang-format off
  for (const auto& [bytes, message] : std::vector<std::pair<std::string, std::string>>{
      {with(frame + 9, "\x04"), "4 colours (CMYK); expected a JPEG of 1 (grey) or 3"},
      {with(frame + 9, "\x02"), "2 colours; expected a JPEG of 1"},
      {with(frame + 4, "\x0c"), "12 bits a sample; expected a JPEG of 8"},
      {with(frame + 1, "\xc9"), "a rare kind of JPEG; expected a baseline or a progressive one"},
      {with(frame + 1, "\xe0"), "no frame; expected a whole JPEG file"},
      {with(frame + 3, "\x14"), "a frame's header of another length"},
      {with(frame + 5, std::string(2, '\0')), "empty, or too large"},
      {with(frame + 5, "\x40\x01"), "empty, or too large"},
      {with(frame + 5, "\x3f"), "more pixels than its bytes can hold"},
      {with(table + 5, "\xff\xff"), "a table of codes that is none"},
      {with(scan + 5, "\x09"), "a colour without a scan"},
      {with(scan + 3, "\x0d"), "a scan's header of another length"},
      {with(scan + 1, "\xd8"), "a marker out of place"},
      {colour.substr(0, 2) + colour.substr(scan, 14), "ends early"},
      {colour.substr(0, frame) + colour.substr(frame, 19) + colour.substr(frame), "a second frame"},
      {with(table + 3, std::string(1, '\1')), "a segment shorter than its length"},
      {colour.substr(0, colour.size() - 2) + with(scan + 5, "\x09").substr(scan, 14) + "\xff\xd9",
       "damaged; expected a whole JPEG file"},
  })
    refuses(bytes, message);
  // clang-format on
  std::string scans = progressive.substr(0, progressive.size() - 2);
  for (int i = 0; i < 200; ++i) scans += colour.substr(scan, 14);
  refuses(scans + "\xff\xd9", "more scans than 200");
}

TEST_CASE("a grid in colour is the grids of its colours", "[images]") {
  const Tensor images = made({5, 3, 2, 3}, [](Index i) { return real(i) / 90; });
  const Tensor grid = image_grid(images, 2, 1, 3);
  CHECK(grid.shape() == Shape{3, 20, 19});
  for (Index c : {0, 1, 2}) same(grid.slice(0, c, c + 1), image_grid(images.slice(1, c, c + 1), 2, 1, 3));
  REFUSES(image_grid(Tensor({1, 2, 1, 1}), 1), "(N,1,H,W) or (N,3,H,W)");
}

TEST_CASE("pictures of another size", "[images]") {
  const auto odd = [](Index i) { return std::sin(real(i) * real(1.7)); };
  const Tensor x = made({2, 3, 5, 7}, odd);
  same(resized(x, 5, 7), x);
  for (const auto& [h, w] : {std::pair{5, 13}, {13, 5}, {3, 4}, {40, 60}})
    CHECK(gap(resized(Tensor::full({1, 7, 11}, real(0.3)), h, w), Tensor::full({1, h, w}, real(0.3))) <
          rounding);
  const Tensor block = made({1, 4, 4}, [](Index i) { return i; });
  same(resized(block, 2, 2), Tensor({1, 2, 2}, {2.5, 4.5, 10.5, 12.5}));
  same(resized(block, 1, 1), Tensor({1, 1, 1}, std::vector<real>{7.5}));
  // From 3 to 2: a pixel and a half each.
  const Tensor three({1, 3, 3}, {3, 6, 12, 3, 6, 12, 3, 6, 12});
  CHECK(gap(resized(three, 2, 2), Tensor({1, 2, 2}, {4, 10, 4, 10})) < rounding * 10);

  // A ramp of j + 1/2 is one of (i + 1/2) n/m, but for half a pixel at the rim.
  const Index n = 8, m = 20;
  const Tensor ramp = resized(made({1, n, n}, [&](Index i) { return real(i % n) + real(0.5); }), m, m);
  const auto values = ramp.to_vector();
  for (Index i = 0; i < m * m; ++i) {
    const double at = (double(i % m) + 0.5) * double(n) / double(m);
    CHECK(values[i] == Approx(std::clamp(at, 0.5, double(n) - 0.5)).epsilon(1e-6));
  }
  // The middle of what is wider, or higher, than the target.
  const Tensor wide = made({1, 4, 9}, odd), high = made({1, 9, 4}, odd);
  same(resized(wide, 4, 4), wide.slice(2, 2, 6));
  same(resized(high, 4, 4), high.slice(1, 2, 6));
  same(resized(wide, 2, 2), resized(wide.slice(2, 2, 6), 2, 2));
  same(resized(x, 3, 2), resized(x.slice(3, 2, 5), 3, 2));
  // A picture does not depend on its neighbours.
  same(resized(x, 9, 4).slice(0, 1, 2).reshape({3, 9, 4}),
       resized(x.slice(0, 1, 2).reshape({3, 5, 7}), 9, 4));

  REFUSES(resized(Tensor({4, 4}), 2, 2), "[resized] pictures have shape (C,H,W) or (N,C,H,W)");
  REFUSES(resized(Tensor({1, 0, 4}), 2, 2), "with none of these 0, not (1,0,4)");
  REFUSES(resized(block, 0, 2), "[resized] to 0x2 pixels; each side must have 1 to 16384");
  CHECK_THROWS_AS(resized(block, 2, 16385), std::invalid_argument);
}

TEST_CASE("animated png: numbered chunks around the frames' own data", "[images]") {
  std::vector<Tensor> frames;
  for (int k = 0; k < 3; ++k)
    frames.push_back(made({3, 5, 4}, [k](Index i) { return real(i * (k + 1) % 61) / 60; }));
  const std::string file = apng_bytes(frames, 40);
  std::string first = file.substr(0, 8), fourths;
  std::vector<std::string> times;
  std::uint32_t number = 0;
  std::size_t frame = 0;
  for (const Chunk& c : chunks_of(file)) {
    fourths += c.letters + " ";
    if (c.letters == "acTL") CHECK(c.data == idx_head({3, 0}));
    if (c.letters == "fcTL") {
      CHECK(c.data.substr(0, 20) == idx_head({number++, 4, 5, 0, 0}));
      CHECK(c.data.size() == 26);
      times.push_back(c.data.substr(20));
      ++frame;
    } else if (c.letters == "fdAT") {
      CHECK(c.data.substr(0, 4) == idx_head({number++}));
      const std::string png = png_bytes(frames[frame - 1]);
      CHECK(chunks_of(png)[1].data == c.data.substr(4));
    } else if (c.letters != "acTL") {
      first += c.whole;
    }
  }
  CHECK(fourths == "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
  CHECK(first == png_bytes(frames[0]));
  const std::string forty("\0\x28\x03\xe8\0\0", 6), second("\x03\xe8\x03\xe8\0\0", 6);
  CHECK(times == std::vector<std::string>{forty, forty, second});
  REFUSES(image_of(file, "x"), "x: an animation; expected a PNG of a single picture");
  CHECK(chunks_of(apng_bytes({frames[0].slice(0, 0, 1)}, 1)).size() == 5);

  REFUSES(apng_bytes({}, 40), "[apng] no frames; expected at least one");
  REFUSES(apng_bytes(frames, 0), "[apng] 0 milliseconds a frame; expected 1 to 65535");
  frames[1] = Tensor({3, 4, 5});
  REFUSES(apng_bytes(frames, 40), "[apng] frame 1 has shape (3,4,5) and frame 0 (3,5,4)");
}
