// A bar with rate and time left on stderr when it is a terminal; a plain line now and then when it is not,
// and none of what takes less than two seconds.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <string>

#include "tensor/shape.h"

namespace dale {

class Progress {
  using clock = std::chrono::steady_clock;

 public:
  /// Of `total` steps, `before` of them done already; `unit` of `per_step` each are what the rate counts (64
  /// images, say).
  Progress(std::string title, Index total, std::string unit, Index per_step, Index before = 0)
      : title_(std::move(title)),
        unit_(std::move(unit)),
        total_(total),
        per_step_(per_step),
        before_(before) {}
  ~Progress() {
    if (terminal_ && drawn_) std::fputc('\n', stderr);
  }

  /// `done` steps are behind us; `note` is shown beside (the loss, say).
  void update(Index done, const std::string& note = "") {
    const auto now = clock::now();
    const double since = std::chrono::duration<double>(now - shown_).count();
    const bool last = done >= total_ && (terminal_ || seconds() > 2);
    if (!last && since < (terminal_ ? 0.2 : 15.0)) return;
    shown_ = now;
    const double rate = static_cast<double>(done - before_) / std::max(1e-9, seconds());
    const Index left = std::llround(static_cast<double>(total_ - done) / std::max(1e-9, rate));
    const std::string text =
        fmt::format("{} {}/{}  {:.0f} {}/s  {}:{:02} left  {}", title_, done, total_,
                    rate * static_cast<double>(per_step_), unit_, left / 60, left % 60, note);
    if (terminal_) {
      const int width = 24, full = static_cast<int>(width * done / std::max<Index>(1, total_));
      say("\r[{:=<{}}{: <{}}] {}\033[K", "", full, "", width - full, text);
      std::fflush(stderr);
      drawn_ = true;
    } else {
      say("{}\n", text);
    }
  }
  double seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

 private:
  std::string title_, unit_;
  Index total_, per_step_, before_;
  clock::time_point start_ = clock::now(), shown_ = start_;
  bool terminal_ = isatty(STDERR_FILENO), drawn_ = false;
};

}  // namespace dale
