#include "experiments/run/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace dale {

using std::chrono::steady_clock;

Progress::Progress(std::string title, Index total, std::string unit, Index per_step, Index before)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      per_step_(per_step),
      before_(before),
      start_(steady_clock::now()),
      shown_(start_),
      terminal_(isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (terminal_ && drawn_) std::fputc('\n', stderr);
}

double Progress::seconds() const {
  return std::chrono::duration<double>(steady_clock::now() - start_).count();
}

void Progress::update(Index done, const std::string& note) {
  const auto now = steady_clock::now();
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

}  // namespace dale
