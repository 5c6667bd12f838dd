// Chapter I: views, memory, random numbers, scalar formulas, and the same bits at any number of threads.
#include <atomic>

#include "autograd/ops.h"
#include "tensor/cpu/parallel.h"
#include "tensor/verbs.h"
#include "tests/compare.h"
#include "tests/machines.h"

using namespace dale;

namespace {

Tensor counting(const Shape& shape) {
  Values v(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<real>(i);
  return Tensor(shape, v);
}

}  // namespace

TEST_CASE("views share memory and cost nothing", "[tensor]") {
  const Tensor x = counting({2, 3, 4});
  CHECK(x.permute({2, 0, 1}).data() == x.data());
  CHECK(x.permute({2, 0, 1}).to_vector()[1] == 4);
  CHECK(x.slice(2, 1, 4, 2).to_vector() == Values{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23});
  CHECK(x.slice(1, 2, 3).reshape({8}).to_vector() == Values{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(x.permute({0, 2, 1}).reshape({2, 2, 2, 3}).data() == x.data());  // splits an axis: still a view
  CHECK(x.permute({0, 2, 1}).reshape({24}).data() != x.data());          // joins two: a copy
  CHECK(x.permute({0, 2, 1}).reshape({24}).to_vector()[1] == 4);
  CHECK(x.slice(0, 0, 1).broadcast_to({5, 3, 4}).strides()[0] == 0);
  CHECK(x.reshape({-1, 6}).shape() == Shape{4, 6});
  CHECK(x.slice(1, 1, 1).size() == 0);
}

TEST_CASE("memory returns to the cache and is found again", "[tensor]") {
  const void* block;
  const std::size_t live = memory_use(Device::cpu).live;
  {
    const Tensor x({1000, 77});
    block = x.data();
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    CHECK(memory_use(Device::cpu).live > live);
  }
  CHECK(memory_use(Device::cpu).live == live);
#ifndef __SANITIZE_ADDRESS__  // under which nothing is cached
  CHECK(Tensor({1000, 77}).data() == block);
#endif
}

TEST_CASE("Philox4x32-10 gives Random123's known answers", "[tensor][random]") {
  const auto gives = [](const Words& counter, std::uint32_t key0, std::uint32_t key1, const Words& answer) {
    const Words found = philox(counter, key0, key1);
    for (int i = 0; i < 4; ++i) CHECK(found.w[i] == answer.w[i]);
  };
  const std::uint32_t all = 0xffffffff;
  gives({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  gives({{all, all, all, all}}, all, all, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  gives({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
        {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("random numbers depend on key and counter alone", "[tensor][random][machines]") {
  ON_EVERY_MACHINE();
  const Values whole = normal(Key{5}, {1000}).to_vector();
  for (std::uint64_t first : {1, 2, 3, 4, 777}) {
    const Values part = normal(Key{5}, {100}, first, device).to_vector();
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<Index>(first)));
  }
  for (const std::uint64_t first : std::vector<std::uint64_t>{0, 1, 4, 4'294'967'295, 4'294'967'298})
    for (const Index n : {0, 1, 3, 4, 1000}) {
      INFO(n << " from " << first);
      CHECK(normal(Key{7}, {n}, first, device).to_vector() == normal(Key{7}, {n}, first).to_vector());
      CHECK(uniform(Key{7}, {n}, first, device).to_vector() == uniform(Key{7}, {n}, first).to_vector());
    }
  CHECK(normal(Key{6}, {1000}).to_vector() != whole);
  CHECK(!(Key{5}.split(0) == Key{5}.split(1)));
  CHECK(!(Key{5}.split(0).split(1) == Key{5}.split(1).split(0)));
}

TEST_CASE("uniform and normal have their moments", "[tensor][random]") {
  const Index n = 1 << 20;
  const auto moment = [&](const Tensor& x, int p) {
    double total = 0;
    for (real v : x.to_vector()) total += std::pow(static_cast<double>(v), p);
    return total / static_cast<double>(n);
  };
  const double root = std::sqrt(static_cast<double>(n));
  const Tensor u = uniform(Key{1}, {n}), z = normal(Key{2}, {n});
  CHECK(std::abs(moment(u, 1) - 0.5) < 4 * std::sqrt(1.0 / 12) / root);
  CHECK(std::abs(moment(u, 2) - 1.0 / 3) < 4 * std::sqrt(4.0 / 45) / root);
  CHECK(std::abs(moment(z, 1)) < 4 / root);
  CHECK(std::abs(moment(z, 2) - 1) < 4 * std::sqrt(2.0) / root);
  CHECK(std::abs(moment(z, 3)) < 4 * std::sqrt(15.0) / root);
  CHECK(std::abs(moment(z, 4) - 3) < 4 * std::sqrt(96.0) / root);
  // Neighbours, of one Box–Muller pair and across pairs, are uncorrelated.
  const Values v = z.to_vector();
  for (Index lag : {1, 2, 3}) {
    double total = 0;
    for (Index i = 0; i + lag < n; ++i) total += static_cast<double>(v[i]) * v[i + lag];
    CHECK(std::abs(total / static_cast<double>(n)) < 4 / root);
  }
}

TEST_CASE("integers, coins and permutations", "[tensor][random]") {
  const Index n = 60000;
  std::vector<int> count(7);
  for (std::int32_t v : integers(Key{3}, {n}, -3, 4).to_vector()) {
    REQUIRE((v >= -3 && v < 4));
    ++count[static_cast<std::size_t>(v + 3)];
  }
  for (int c : count) CHECK(std::abs(c - n / 7.0) < 4 * std::sqrt(n / 7.0));
  double heads = 0;
  for (real v : bernoulli(Key{4}, {n}, 0.3).to_vector()) heads += static_cast<double>(v);
  CHECK(std::abs(heads - 0.3 * n) < 4 * std::sqrt(0.21 * n));
  CHECK(bernoulli(Key{4}, {9}, 1).to_vector() == Values(9, 1));
  CHECK(bernoulli(Key{4}, {9}, 0).to_vector() == Values(9, 0));
  const auto whole = integers(Key{3}, {20}, 0, 100).to_vector(),
             part = integers(Key{3}, {9}, 0, 100, 11).to_vector();
  CHECK(std::equal(part.begin(), part.end(), whole.begin() + 11));
  auto order = permutation(Key{1}, 1000);
  CHECK(order != permutation(Key{2}, 1000));
  CHECK(order == permutation(Key{1}, 1000));
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  REFUSES(integers(Key{1}, {1}, 3, 3), "[integers] there is no integer from 3 to below 3");
  REFUSES(bernoulli(Key{1}, {1}, 1.5), "[bernoulli] the probability 1.5 is outside [0, 1]");
  REFUSES(permutation(Key{1}, -1), "[permutation] -1 elements");
}

TEST_CASE("random numbers are pinned: another stream needs another version", "[tensor][random]") {
  REQUIRE(random_stream_version == 1);
  CHECK(Key{1}.split(2).value == 12229731395331991369u);
  CHECK(integers(Key{7}, {4}, 0, 1000).to_vector() == std::vector<std::int32_t>{954, 750, 114, 85});
  std::vector<std::uint32_t> bits;
  for (real v : normal(Key{7}, {4}).to_vector())
    bits.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(v)));
  CHECK(bits == std::vector<std::uint32_t>{0x3998dd85, 0xbe9c14e8, 0x3fe4f5ff, 0x3f88b00c});
}

TEST_CASE("every kernel gives the same bits at any number of threads", "[tensor][threads]") {
  const Var x = normal(Key{1}, {9, 16, 28, 28}), w = normal(Key{2}, {24, 16, 3, 3}),
            y = normal(Key{3}, {9, 24, 28, 28});
  const Var gamma = normal(Key{4}, {16}), beta = normal(Key{5}, {16});
  const Window k{{1, 1}, {1, 1}, {1, 1}};
  const auto made = [&](int number_of_threads) {
    set_threads(number_of_threads);
    Vars all{normal(Key{5}, {100001}),
             exp(x),
             sum(x),
             sum(x, {0, 2, 3}),
             sum(reshape(x, {9 * 16 * 28, 28}), {0}),
             matmul(reshape(x, {9 * 28, -1}), reshape(y, {-1, 28 * 16}), false, true),
             conv2d(x, w, k),
             conv2d_input(y, w, x.shape(), k),
             conv2d_weight(x, y, w.shape(), k)};
    const Vars p{parameter(x.value()), parameter(gamma.value()), parameter(beta.value())};
    all.push_back(group_norm(p[0], p[1], p[2], 8, 1e-5, true));
    for (const Var& g : grad(sum(square(all.back())), p)) all.push_back(g);
    return all;
  };
  const int before = threads();
  const Vars one = made(1);
  for (int n : {2, 5}) {
    const Vars several = made(n);
    for (std::size_t i = 0; i < one.size(); ++i) {
      INFO("result " << i << " by " << n << " threads");
      CHECK(values(several[i]) == values(one[i]));
    }
  }
  set_threads(before);
}

TEST_CASE("what a piece throws reaches the caller after all pieces have stopped", "[tensor][threads]") {
  const int before = threads();
  for (int n : {1, 2, 4}) {
    set_threads(n);
    for (Index bad : {0, 7, 99}) {
      std::atomic<int> inside{0};
      const auto body = [&](Index piece) {
        ++inside;
        --inside;
        if (piece == bad) throw std::bad_alloc();
      };
      CHECK_THROWS_AS(parallel(100, body), std::bad_alloc);
      CHECK(inside == 0);
      std::atomic<Index> sum{0};  // and the pool goes on
      parallel(100, [&](Index piece) { sum += piece; });
      CHECK(sum == 4950);
    }
  }
  set_threads(before);
}

TEST_CASE("sums and maxima over rows are those of each column", "[tensor][machines]") {
  const Index shapes[][3] = {{1, 50000, 3}, {1, 1000, 70}, {1, 1, 200},   {1, 70, 5000}, {5, 300, 20},
                             {400, 2, 16},  {2, 0, 17},    {1, 50000, 1}, {1, 9000, 71}, {3, 1100, 40},
                             {70, 16, 30},  {70, 17, 30},  {90, 15, 1},   {0, 5, 3},     {1, 1, 1}};
  for (const auto& [outer, rows, columns] : shapes) {
    INFO(fmt::format("{} times {} rows of {}", outer, rows, columns));
    Values v;  // whole numbers, whose sums are exact
    for (auto i : integers(Key{1}, {outer, rows, columns}, -20, 256).to_vector())
      v.push_back(static_cast<real>(i));
    Values sums, maxima;
    for (Index o = 0; o < outer; ++o)
      for (Index k = 0; k < columns; ++k) {
        real sum = 0, most = -HUGE_VAL;
        for (Index r = 0; r < rows; ++r) {
          const real at = v[(o * rows + r) * columns + k];
          sum += at;
          most = std::max(most, at);
        }
        sums.push_back(sum);
        maxima.push_back(most);
      }
    for (Device device : machines()) {
      INFO(column(device));
      const Tensor x({outer, rows, columns}, v, device);
      CHECK(raw::reduce(Reduce::sum, x, {1}).to_vector() == sums);
      CHECK(raw::reduce(Reduce::max, x, {1}).to_vector() == maxima);
    }
  }
  Tensor x = normal(Key{1}, {5, 200, 20});
  x.span()[(3 * 200 + 150) * 20 + 7] = std::numeric_limits<real>::quiet_NaN();
  for (Device device : machines())
    for (Reduce op : {Reduce::sum, Reduce::max}) {
      const Values y = raw::reduce(op, x.to(device), {1}).to_vector();
      for (Index i = 0; i < 100; ++i) CHECK(std::isnan(y[i]) == (i == 3 * 20 + 7));
    }
}

TEST_CASE("bad shapes are told in one sentence", "[tensor][errors]") {
  const Tensor x({2, 3}), none({0, 3});
  const Index big = Index{1} << 40;
  REFUSES(Tensor({2, -3}), "cannot have the shape (2,-3)");
  REFUSES(Tensor({2, 2}, {1, 2, 3}), "3 values do not fill the shape (2,2)");
  REFUSES(x.reshape({4, 2}), "[reshape] 6 elements of shape (2,3) do not fill (4,2)");
  REFUSES(x.reshape({4, -1}), "[reshape]");
  for (const Shape& s : {Shape{-2, -3}, {-1, -6}, {-1, -1}, {3, -2}})
    REFUSES(x.reshape(s), "has a negative length; one -1 stands for what is left");
  REFUSES(none.reshape({0, -1}), "-1 may be any length beside the 0");
  CHECK(none.reshape({-1, 3}).shape() == Shape{0, 3});
  REFUSES(Tensor({big, big}), "it passes 2^63 bytes");
  REFUSES(Tensor({big, -big}), "it passes 2^63 bytes");
  REFUSES(Tensor({1, 1}).broadcast_to({big, big}), "it passes 2^63 bytes");
  REFUSES(x.dim(100), "[dim] axis 100");
  CHECK(x.dim(-1) == 3);
  REFUSES(x.permute({0}), "[permute] 1 axes given for the shape (2,3)");
  REFUSES(x.permute({0, 0}), "[permute] axis 0 is named twice");
  REFUSES(x.permute({0, 2}), "[permute] axis 2 is outside an array of rank 2");
  REFUSES(x.slice(0, 1, 3), "[slice] 1:3:1 does not lie in axis 0");
  REFUSES(x.broadcast_to({3, 3}), "[broadcast_to] the shape (2,3) does not stretch to (3,3)");
  REFUSES(x.broadcast_to({3}), "does not stretch");
  REFUSES(x.item(), "[item] the array has shape (2,3)");
  REFUSES((Shape{1, 1, 1, 1, 1, 1, 1}), "at most 6 axes");
  REFUSES(set_threads(0), "must be at least 1");
  REFUSES(device_named("gpu"), "unknown device 'gpu'; did you mean 'cpu'?");
}

TEST_CASE("results lie in memory as their arguments do", "[tensor]") {
  const Tensor row_major = normal(Key{1}, {2, 3, 4, 5});
  const Tensor x = raw::channels_first(raw::channels_last(row_major).clone());
  CHECK(!x.contiguous());
  for (const Tensor& y :
       {raw::unary(Unary::exp, x), raw::binary(Binary::add, x, row_major),
        raw::binary(Binary::add, raw::reduce(Reduce::sum, x, {0, 2, 3}).broadcast_to(x.shape()), x),
        concat({x, x}, 1).value(), sum(Var(x), {3}, true).value()})
    CHECK(raw::channels_last(y).contiguous());
  CHECK(raw::unary(Unary::exp, x).to_vector() == raw::unary(Unary::exp, row_major).to_vector());
  CHECK(raw::binary(Binary::subtract, row_major, x).to_vector() == Values(120, 0));
  CHECK(values(concat({x, row_major}, 2)) == values(concat({row_major, row_major}, 2)));
  CHECK(x.packed().to_vector() == row_major.to_vector());
  Tensor y = raw::unary(Unary::negate, x);
  raw::binary_into(Binary::add, y, row_major);
  CHECK(y.to_vector() == Values(120, 0));
}
