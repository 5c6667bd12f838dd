// Pictures as arrays: grids, other sizes, animations.
#include "experiments/pictures/image.h"
#include "tests/compare.h"
#include "tests/folder.h"

using namespace dale;

namespace {

constexpr double rounding = 4 * std::numeric_limits<real>::epsilon();

void same(const Tensor& x, const Tensor& y) {
  CHECK(x.shape() == y.shape());
  CHECK(x.to_vector() == y.to_vector());
}
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
