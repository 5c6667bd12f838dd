// Random numbers as a function of a key and a counter: Philox4x32-10 (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). There is no generator to carry about and no order to keep: element
// e of a stream is a function of (key, e), so every machine, thread count and batch size sees the same
// numbers.
//
//   block(key, c) = ten rounds on the counter c; its four words serve elements 4c … 4c+3
//   uniform       = (word >> 8) 2⁻²⁴ in [0, 1)
//   normals       = Box–Muller on a pair of words: √(−2 log u) (cos 2πv, sin 2πv)
//
// Normals are made in float in both builds: the double build sees the very same noise.
#pragma once

#include <cstdint>

#include "tensor/scalar.h"

namespace dale {

/// Version of the stream: changes whenever the same key would give other numbers.
constexpr int random_stream_version = 1;

/// Names a stream of random numbers. Keys are split, never advanced: give every use its own.
struct Key {
  std::uint64_t value = 0;

  /// The n-th child key; children of one key, and of different keys, are independent streams.
  Key split(std::uint64_t n) const;
  bool operator==(const Key&) const = default;
};

struct Words {
  std::uint32_t w[4];
};

/// A 64-bit number of its words.
DALE_BOTH std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
  return std::uint64_t{low} | std::uint64_t{high} << 32;
}

/// Philox4x32-10. The multipliers and the Weyl increments are those of the paper.
DALE_BOTH Words philox(Words c, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * c.w[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c.w[2];
    c = Words{{static_cast<std::uint32_t>(b >> 32) ^ c.w[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ c.w[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/// Block `counter` of a stream. The high half of Philox's counter tells streams of elements (0) from key
/// splits (1).
DALE_BOTH Words random_block(std::uint64_t key, std::uint64_t counter, std::uint32_t purpose = 0) {
  return philox(
      Words{{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), purpose, 0}},
      static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32));
}

DALE_BOTH float uniform_of(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 5.9604644775390625e-8f;
}

/// Normal `lane` (0…3) of a block. u = (word + ½) 2⁻³² lies in (0, 1], so |z| < 6.8; the angle is split into
/// a quadrant and a remainder in integers, hence exactly.
DALE_BOTH float normal_of(const Words& block, int lane) {
  const std::uint32_t radius_word = block.w[lane & 2], angle_word = block.w[(lane & 2) + 1];
  const float u = (static_cast<float>(radius_word) + 0.5f) * 2.3283064365386963e-10f;
  const float radius = scalar::sqrt(-2.0f * scalar::log(u));
  const std::uint32_t turned =
      angle_word + 0x20000000u;  // an eighth of a turn: quadrants centred on the axes
  const std::int32_t quadrant = static_cast<std::int32_t>(turned >> 30);
  const std::int32_t rest = static_cast<std::int32_t>(turned & 0x3fffffffu) - 0x20000000;
  const float angle = static_cast<float>(rest) * 1.4629180792671596e-9f;  // 2π / 2³²
  return radius * scalar::sin_quadrant(angle, quadrant + ((lane & 1) ? 0 : 1));
}

inline Key Key::split(std::uint64_t n) const {
  const Words b = random_block(value, n, 1);
  return Key{joined(b.w[0], b.w[1])};
}

}  // namespace dale
