// SIGINT and SIGTERM as a question that a loop asks between steps, instead of an end in the middle of one.
#pragma once

#include <csignal>
#include <stdexcept>
#include <string>

namespace dale {

/// What a loop throws when it has put its work in order; the program then ends with status 128 + signal.
struct Stopped : std::runtime_error {
  /// `where` it stopped, and what is left, goes on the sentence "stopped by SIGINT".
  Stopped(int signal, const std::string& where)
      : std::runtime_error((signal == SIGINT ? "stopped by SIGINT " : "stopped by SIGTERM ") + where),
        signal(signal) {}
  int signal;
};

/// While it lives the first SIGINT or SIGTERM is only noted; a second one ends the program as usual.
class StopSignals {
 public:
  StopSignals() {
    if (alive++ == 0) noted = 0;  // one inside another keeps what came before it
    struct sigaction note {};
    note.sa_handler = [](int signal) { noted = signal; };
    note.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &note, &before_[0]);
    sigaction(SIGTERM, &note, &before_[1]);
  }
  ~StopSignals() {
    --alive;
    sigaction(SIGINT, &before_[0], nullptr);
    sigaction(SIGTERM, &before_[1], nullptr);
  }
  StopSignals(const StopSignals&) = delete;

  /// The signal that came, or 0.
  int received() const { return noted; }

 private:
  static inline volatile std::sig_atomic_t noted = 0;
  static inline int alive = 0;
  struct sigaction before_[2];
};

}  // namespace dale
