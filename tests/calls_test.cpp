// A fuzzer over sequences of calls of the library: arrays of small shapes go through ops chosen at random,
// with axes, sizes, indices and windows that often make no sense, and gradients are taken in between. A call
// may return an array, or say in one line what is wrong, or that memory is out; it must not crash, hang, read
// or write outside (make asan), or throw anything else.
//
// DALE_FUZZ=1000000 build/check "[calls]" makes a million sequences; without it, 20000.
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "autograd/ops.h"
#include "tests/catch.h"
#include "tests/choices.h"

using namespace dale;

namespace {

/// One sequence: what it made so far, and its choices.
struct Sequence {
  Choices c;
  Vars made{}, leaves{};

  bool coin() { return c.below(2) == 0; }
  Var any() { return made[c.below(made.size())]; }
  /// Fewer than n of what `make` makes.
  template <class F> auto several(std::size_t n, const F& make) {
    std::vector<decltype(make())> some(c.below(n));
    std::generate(some.begin(), some.end(), make);
    return some;
  }
  Vars several() {
    return several(4, [&] { return any(); });
  }
  /// A length, position, factor: mostly one that may do.
  Index number() {
    static const Index odd[] = {-1, -2, 0, 7, Index{1} << 40, Index{1} << 62, -(Index{1} << 62)};
    return c.below(8) ? static_cast<Index>(1 + c.below(4)) : odd[c.below(std::size(odd))];
  }
  int axis() { return static_cast<int>(c.below(6) ? c.below(4) : number()); }
  Shape shape() {
    if (coin()) return any().shape();
    Shape s;
    for (Index n : several(8, [&] { return number(); })) s.push_back(n);
    return s;
  }
  Axes axes() {
    return several(5, [&] { return axis(); });
  }
  IntTensor indices() {
    const auto index = [&] { return static_cast<std::int32_t>(c.below(9) ? c.below(3) : number()); };
    const std::vector<std::int32_t> values = several(6, index);
    return IntTensor({std::ssize(values)}, values);
  }
  Window window() { return {{number(), number()}, {number() - 1, number() - 1}, {number(), number()}}; }
  Var fresh() {
    Shape s;
    for (std::size_t rank = c.below(5); rank > 0; --rank)
      s.push_back(static_cast<Index>(c.below(12) ? 1 + c.below(4) : 0));
    const Tensor x = normal(Key{c.below(100)}, s);
    if (coin()) return Var(x);
    leaves.push_back(parameter(x));
    return leaves.back();
  }
};

// clang-format off
#define CALL(...) [](Sequence& s) -> Var { return __VA_ARGS__; }
const std::vector<std::function<Var(Sequence&)>> calls = {
    CALL(s.fresh()), CALL(s.any() + s.any()), CALL(s.any() - s.any()), CALL(s.any() * s.any()),
    CALL(s.any() / s.any()), CALL(power(s.any(), s.any())), CALL(exp(s.any())), CALL(log(s.any())),
    CALL(abs(s.any())), CALL(silu(s.any())), CALL(maximum(s.any(), s.any())), CALL(masked(s.any(), s.any())),
    CALL(where(s.any(), s.any(), s.any())), CALL(reshape(s.any(), s.shape())),
    CALL(permute(s.any(), s.axes())),
    CALL(slice(s.any(), s.axis(), s.number() - 1, s.number(), s.number())),
    CALL(place(s.any(), s.axis(), s.number() - 1, s.number(), s.number())),
    CALL(concat(s.several(), s.axis())), CALL(stack(s.several(), s.axis())),
    CALL(broadcast_to(s.any(), s.shape())), CALL(sum_to(s.any(), s.shape())),
    CALL(gather(s.any(), s.indices())), CALL(scatter_add(s.any(), s.indices(), s.number())),
    CALL(embedding(s.any(), s.indices())), CALL(one_hot(s.indices(), s.number())),
    CALL(pad(s.any(), s.axis(), s.number() - 1, s.number() - 1)),
    CALL(split(s.any(), {s.number(), s.number()}, s.axis()).at(0)), CALL(flip(s.any(), s.axis())),
    CALL(sum(s.any(), s.axes(), s.coin())), CALL(mean(s.any(), s.axes(), s.coin())),
    CALL(max(s.any(), s.axes(), s.coin())), CALL(variance(s.any(), s.axes(), s.coin(), s.number())),
    CALL(logsumexp(s.any(), s.axes(), s.coin())), CALL(log_softmax(s.any(), s.axis())),
    CALL(norm(s.any(), s.axes(), s.coin())),
    CALL(argmax(s.any(), s.axis()).defined() ? s.any() : Var()),
    CALL(matmul(s.any(), s.any(), s.coin(), s.coin())), CALL(conv2d(s.any(), s.any(), s.window())),
    CALL(conv2d(s.any(), s.any(), s.any(), s.coin() ? s.any() : Var(), s.window())),
    [](Sequence& s) {
      const Var x = s.any(), w = s.any();
      const Window k = s.window();
      return conv2d_input(s.coin() ? s.any() : conv2d(x, w, k), w, s.coin() ? s.shape() : x.shape(), k);
    },
    [](Sequence& s) {
      const Var x = s.any(), w = s.any();
      const Window k = s.window();
      return conv2d_weight(x, s.coin() ? s.any() : conv2d(x, w, k), s.coin() ? s.shape() : w.shape(), k);
    },
    CALL(cross_entropy(s.any(), s.indices())),
    CALL(attention(s.any(), s.any(), s.any(), s.coin() ? s.any() : Var())),
    CALL(layer_norm(s.any(), s.any(), s.any())),
    CALL(group_norm(s.any(), s.any(), s.any(), s.number(), 1e-5f, s.coin())),
    CALL(upsample_nearest(s.any(), s.number())), CALL(upsample_bilinear(s.any(), s.number())),
    CALL(max_pool(s.any(), s.number(), s.number(), s.number() - 1)),
    CALL(average_pool(s.any(), s.number(), s.number(), s.number() - 1)),
    CALL(vjp(s.any(), s.any(), s.several(), s.coin()).at(0)),
    CALL(grad(sum(s.any()), s.leaves, s.coin()).at(0))};
// clang-format on

}  // namespace

TEST_CASE("no sequence of calls crashes the library", "[calls]") {
  const char* variable = std::getenv("DALE_FUZZ");
  const Index sequences = variable ? std::atoll(variable) : 20000;
  constexpr Index largest = 4096;  // elements: larger results are read by nobody
  std::vector<Index> returned(calls.size());
  for (Index n = 0; n < sequences; ++n) {
    Sequence s{Choices(Key{2027}.split(static_cast<std::uint64_t>(n)))};
    for (int i = 0; i < 3; ++i) s.made.push_back(s.fresh());
    for (int step = 0; step < 24; ++step) {
      const std::size_t which = s.c.below(calls.size());
      std::string said;
      alarm(60);  // a call that hangs ends the test
      try {
        const Var y = calls[which](s);
        if (y.value().defined()) ++returned[which];
        if (y.value().defined() && y.size() <= largest) {
          REQUIRE(static_cast<Index>(y.value().to_vector().size()) == y.size());
          s.made.push_back(y);
        }
      } catch (const std::invalid_argument& error) { said = error.what(); } catch (const OutOfMemory& error) {
        said = error.what();
      } catch (const std::bad_alloc&) {
      } catch (const std::out_of_range&) {  // of at(0), where nothing was asked for
      } catch (const std::exception& error) {
        FAIL("sequence " << n << ", call " << which << ": " << error.what());
      }
      if (said.find('\n') != said.npos) FAIL("sequence " << n << ", call " << which << ": " << said);
    }
  }
  alarm(0);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    INFO("call " << i);
    CHECK(returned[i] > 0);  // the arguments must now and then make sense
  }
}
