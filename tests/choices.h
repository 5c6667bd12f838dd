// Random choices for the fuzzers: words of a key's stream, in order, so that a failure is its key's number.
#pragma once

#include <algorithm>

#include "tensor/random.h"

namespace dale {

class Choices {
 public:
  explicit Choices(Key key) : key_(key) {}
  std::size_t below(std::size_t n) {
    const Words block = random_block(key_.value, next_ / 4);
    return block.w[next_++ % 4] % std::max<std::size_t>(1, n);
  }

 private:
  Key key_;
  std::uint64_t next_ = 0;
};

}  // namespace dale
