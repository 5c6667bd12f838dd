// A pool of threads that wait for a batch of pieces, take them from a common counter, and go back to waiting.
// A waiting thread first spins for some microseconds, because the kernels of a small network follow each
// other closely.
#include "tensor/cpu/parallel.h"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace dale {
namespace {

thread_local bool inside_piece = false;

class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Pool() {
    stop_ = true;
    wake();
    for (auto& w : workers_) w.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(Index pieces, void (*call)(const void*, Index), const void* body) {
    call_ = call;
    body_ = body;
    pieces_ = pieces;
    next_.store(0);
    busy_.store(static_cast<int>(workers_.size()));
    wake();
    take_pieces();
    while (busy_.load() > 0) std::this_thread::yield();
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  void take_pieces() {
    inside_piece = true;
    try {
      for (Index p; (p = next_.fetch_add(1)) < pieces_;) call_(body_, p);
    } catch (...) {
      next_.store(pieces_);
      std::lock_guard lock(throwing_);
      if (!thrown_) thrown_ = std::current_exception();
    }
    inside_piece = false;
  }

  void wake() {
    batch_.fetch_add(1);
    batch_.notify_all();
  }

  void work() {
    for (int seen = 0;;) {
      for (int spin = 0; spin < 20000 && batch_.load(std::memory_order_relaxed) == seen; ++spin) {}
      batch_.wait(seen);
      seen = batch_.load();
      if (stop_) return;
      take_pieces();
      busy_.fetch_sub(1);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<int> batch_{0};   // counts the batches handed out
  std::atomic<Index> next_{0};  // the next piece of this batch
  std::atomic<int> busy_{0};    // workers that have not finished this batch
  std::mutex throwing_;
  std::exception_ptr thrown_;  // by a piece of this batch
  bool stop_ = false;
  void (*call_)(const void*, Index) = nullptr;
  const void* body_ = nullptr;
  Index pieces_ = 0;
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> p = std::make_unique<Pool>(std::max(1u, std::thread::hardware_concurrency()));
  return p;
}
std::mutex pool_in_use;  // one batch at a time, whichever thread asks

}  // namespace

void set_threads(int n) {
  if (n < 1) invalid("the number of threads is {}; it must be at least 1", n);
  if (n != threads()) pool() = std::make_unique<Pool>(n);
}

int threads() { return pool()->threads(); }

void detail::run_pieces(Index pieces, void (*call)(const void*, Index), const void* body) {
  if (pieces <= 1 || inside_piece || pool()->threads() == 1) {
    for (Index p = 0; p < pieces; ++p) call(body, p);
    return;
  }
  std::lock_guard lock(pool_in_use);
  pool()->run(pieces, call, body);
}

}  // namespace dale
