// A grid of CUDA threads on the CPU. Blocks run in turn; the threads of a block are fibres, so that barriers
// of a block and of a warp mean what they mean on a device. A fibre that ends without having waited serves
// the next thread at once: a kernel without barriers costs function calls.
//
// What a device would not tell is an error here, one sentence with the place: an index outside its buffer,
// shared memory read before it was written or written and read by two threads without a barrier between, a
// barrier that not all threads of the block reach.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {

[[nodiscard]] inline std::logic_error fault(const std::string& what) {
  return std::logic_error("[emulated CUDA] block " + std::to_string(blockIdx.x) + ", thread " +
                          std::to_string(threadIdx.x) + ": " + what);
}

constexpr unsigned warp_size = 32;

/// The block that is running: its threads, and how often they have all met.
class Block {
 public:
  static Block& current() {
    static Block block;
    return block;
  }

  std::uint64_t serial = 0;       // of the block, over all launches: shared memory starts anew with it
  std::uint64_t block_phase = 0;  // barriers passed
  std::array<std::uint64_t, 1024 / warp_size> warp_phase{};

  void run(const std::function<void()>& body, unsigned threads) {
    body_ = &body;
    ++serial;
    block_phase = 0;
    warp_phase.fill(0);
    threads_.assign(threads, Thread{});
    started_ = 0;
    error_ = nullptr;
    while (started_ < threads && !error_) resume(free_fibre());
    while (!error_ && release())
      for (unsigned t = 0; t < threads && !error_; ++t)
        if (threads_[t].state == ready) {
          threadIdx.x = t;
          resume(threads_[t].fibre);
        }
    for (Fibre& f : fibres_) f.free = true, f.made &= !error_;  // left in the middle, it starts anew
    if (error_) std::rethrow_exception(error_);
  }

  enum State { fresh, ready, at_warp, at_block, ended };

  /// Stops the thread that asks until all of its warp, or block, have come as far.
  void wait(State where) {
    const unsigned t = threadIdx.x;
    threads_[t] = {where, running_};
    fibres_[running_].free = false;
    swapcontext(&fibres_[running_].context, &scheduler_);
    threadIdx.x = t;
    threads_[t].state = fresh;
  }

 private:
  struct Thread {
    State state = fresh;
    std::size_t fibre = 0;
  };
  struct Fibre {
    ucontext_t context{};
    std::unique_ptr<char[]> stack;
    bool free = true, made = false;
  };
  static constexpr std::size_t stack_bytes = 256 * 1024;

  std::size_t free_fibre() {
    for (std::size_t i = 0; i < fibres_.size(); ++i)
      if (fibres_[i].free) return i;
    if (fibres_.capacity() == 0) fibres_.reserve(1025);  // contexts must not move
    fibres_.emplace_back();
    return fibres_.size() - 1;
  }

  void resume(std::size_t i) {
    Fibre& f = fibres_[i];
    if (!f.made) {
      if (!f.stack) f.stack.reset(new char[stack_bytes]);
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack.get();
      f.context.uc_stack.ss_size = stack_bytes;
      f.context.uc_link = nullptr;
      makecontext(
          &f.context, [] { current().serve(); }, 0);
      f.made = true;
    }
    running_ = i;
    swapcontext(&scheduler_, &f.context);
  }

  /// A fibre's life: threads that have not started, one after the other.
  void serve() {
    for (;;) {
      while (started_ < threads_.size() && !error_) {
        const unsigned t = static_cast<unsigned>(started_++);
        threadIdx.x = t;
        try {
          (*body_)();
        } catch (...) { error_ = std::current_exception(); }
        threads_[threadIdx.x].state = ended;
      }
      fibres_[running_].free = true;
      swapcontext(&fibres_[running_].context, &scheduler_);
    }
  }

  /// Lets go on who may: a warp that is together, or the block that is. False when every thread has ended.
  bool release() {
    const std::span<Thread> block(threads_);
    if (all(block, ended)) return false;
    bool moved = let_go(block, at_block, block_phase);
    for (std::size_t w = 0; w < block.size(); w += warp_size)
      moved |= let_go(block.subspan(w, std::min<std::size_t>(warp_size, block.size() - w)), at_warp,
                      warp_phase[w / warp_size]);
    if (moved) return true;
    for (unsigned t = 0; t < threads_.size(); ++t)
      if (threads_[t].state != ended) threadIdx.x = t;
    error_ = std::make_exception_ptr(fault("it waits at a barrier that not all threads reach"));
    return false;
  }
  static bool all(std::span<const Thread> threads, State where) {
    return std::ranges::all_of(threads, [&](const Thread& t) { return t.state == where; });
  }
  static bool let_go(std::span<Thread> threads, State where, std::uint64_t& phase) {
    if (!all(threads, where)) return false;
    for (Thread& t : threads) t.state = ready;
    ++phase;
    return true;
  }

  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Fibre> fibres_;
  ucontext_t scheduler_{};
  std::size_t started_ = 0, running_ = 0;
  std::exception_ptr error_;
};

/// Blocks of a grid, one after the other.
inline void run_grid(dim3 grid, dim3 block, const std::function<void()>& body) {
  if (grid.x == 0 || block.x == 0 || block.x > 1024)
    throw std::logic_error("[emulated CUDA] a grid of no legal size");
  gridDim = grid;
  blockDim = block;
  for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) Block::current().run(body, block.x);
}

/// Throws unless numbers that are read or written together lie where a device can reach them together.
inline void expect_aligned(const void* place, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(place) % bytes != 0)
    throw fault("numbers are read or written together at no multiple of " + std::to_string(bytes) + " bytes");
}

inline std::size_t copied = 0, most = SIZE_MAX;  // by copies of spans: bytes; and numbers of each, at most

/// A span whose every index is checked. It tells when it is copied, so that a launch knows its arrays.
template <class T> struct Span : std::span<T> {
  using std::span<T>::span;
  Span(std::span<T> s) : std::span<T>(s) {}
  Span(const Span& s) : std::span<T>(s) { copied += std::min(this->size(), most) * sizeof(T); }
  Span& operator=(const Span&) = default;
  T& operator[](std::int64_t i) const {
    if (i < 0 || i >= std::ssize(*this))
      throw fault("index " + std::to_string(i) + " in a buffer of " + std::to_string(this->size()));
    return this->data()[i];
  }
};

/// A block's shared array. Each element remembers who wrote and who read it since which barrier.
template <class T, std::size_t n> class Shared {
  struct Moment {
    unsigned thread = 0;
    std::uint64_t block_phase = 0, warp_phase = 0;
    bool any = false;

    static Moment now() {
      const Block& b = Block::current();
      return {threadIdx.x, b.block_phase, b.warp_phase[threadIdx.x / warp_size], true};
    }
    /// Whether nothing orders this before `later`, another thread's.
    bool races(const Moment& later) const {
      if (!any || thread == later.thread || block_phase != later.block_phase) return false;
      return thread / warp_size != later.thread / warp_size || warp_phase == later.warp_phase;
    }
  };
  struct Element {
    T value{};
    Moment written, read;
  };

 public:
  class Place;
  class Cell {
   public:
    explicit Cell(Element& e) : e_(e) {}
    operator T() const {
      const Moment now = Moment::now();
      if (!e_.written.any) throw fault("shared memory is read before it was written");
      if (e_.written.races(now))
        throw fault("shared memory is read with no barrier after another thread's write");
      e_.read = now;
      return e_.value;
    }
    T operator=(const T& v) {
      const Moment now = Moment::now();
      if (e_.read.races(now) || e_.written.races(now))
        throw fault("shared memory is written with no barrier after another thread used it");
      e_.written = now;
      return e_.value = v;
    }
    T operator=(const Cell& other) { return *this = T(other); }
    T operator+=(const T& v) { return *this = T(*this) + v; }
    Place operator&() const { return Place(&e_); }

   private:
    Element& e_;
  };
  /// A pointer into the array.
  class Place {
   public:
    using value_type = T;
    explicit Place(Element* e) : e_(e) {}
    Cell operator[](std::int64_t i) const { return Cell(e_[i]); }

   private:
    Element* e_;
  };

  Cell operator[](std::int64_t i) {
    if (i < 0 || i >= static_cast<std::int64_t>(n))
      throw fault("index " + std::to_string(i) + " in shared memory of " + std::to_string(n));
    if (serial_ != Block::current().serial) {
      serial_ = Block::current().serial;
      std::fill(elements_.begin(), elements_.end(), Element{});
    }
    return Cell(elements_[static_cast<std::size_t>(i)]);
  }

 private:
  std::vector<Element> elements_ = std::vector<Element>(n);
  std::uint64_t serial_ = 0;
};

}  // namespace emulated

#define DALE_SHARED(T, name, n) static emulated::Shared<T, n> name

inline void __syncthreads() { emulated::Block::current().wait(emulated::Block::at_block); }
inline void __syncwarp(unsigned = ~0u) { emulated::Block::current().wait(emulated::Block::at_warp); }
