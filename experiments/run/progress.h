// A bar with rate and time left on stderr when it is a terminal; a plain line now and then when it is not,
// and none of what takes less than two seconds.
#pragma once

#include <chrono>
#include <string>

#include "tensor/shape.h"

namespace dale {

class Progress {
 public:
  /// Of `total` steps, `before` of them done already; `unit` of `per_step` each are what the rate counts (64
  /// images, say).
  Progress(std::string title, Index total, std::string unit, Index per_step, Index before = 0);
  ~Progress();
  /// `done` steps are behind us; `note` is shown beside (the loss, say).
  void update(Index done, const std::string& note = "");
  double seconds() const;

 private:
  std::string title_, unit_;
  Index total_, per_step_, before_;
  std::chrono::steady_clock::time_point start_, shown_;
  bool terminal_, drawn_ = false;
};

}  // namespace dale
