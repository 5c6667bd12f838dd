// Chapter I: the functions of analysis. How far they are from the exact value, what they make of ±0, ±∞ and
// NaN, and that every processor and compiler gives the bits that stand here; so do the kernels that multiply
// no matrices.
#include <cstring>
#include <functional>

#include "autograd/ops.h"
#include "nn/optim.h"
#include "tensor/verbs.h"
#include "tests/compare.h"

using namespace dale;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Arguments by number, random.
using Stream = std::function<double(int)>;
/// In [low, high).
Stream between(double low, double high, std::uint64_t key = 1) {
  return [=](int i) {
    return low + (high - low) * random_block(key, static_cast<std::uint64_t>(i)).w[0] / 4294967296.0;
  };
}
/// 2ᵉ, e in [low, high); and ±2ᵉ.
Stream size(double low, double high) {
  return [e = between(low, high, 2)](int i) { return std::exp2(e(i)); };
}
Stream magnitude(double low, double high) {
  return [of = size(low, high)](int i) {
    return random_block(3, static_cast<std::uint64_t>(i)).w[0] & 1 ? -of(i) : of(i);
  };
}

/// |got − exact| in units of the last place that a T has there.
template <class T> double ulp(T got, long double exact) {
  if (static_cast<T>(exact) == got) return 0;
  int exponent = 0;
  std::frexp(exact, &exponent);
  exponent = std::max(exponent, std::numeric_limits<T>::min_exponent) - std::numeric_limits<T>::digits;
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / std::ldexp(1.0L, exponent));
}

/// The largest error of f over ten thousand arguments.
template <class T, class F, class Exact> double worst(F f, Exact exact, const Stream& argument) {
  double most = 0;
  for (int i = 0; i < 10000; ++i) {
    const T x = static_cast<T>(argument(i));
    most = larger(most, ulp<T>(f(x), exact(static_cast<long double>(x))));
  }
  return most;
}

/// FNV-1a of the bits of numbers. All NaN count as one: processors make different ones.
struct Digest {
  std::uint64_t value = 14695981039346656037u;

  template <class T> void add(T x) {
    unsigned char bytes[sizeof(T)];
    if (x != x) x = std::numeric_limits<T>::quiet_NaN();
    std::memcpy(bytes, &x, sizeof(T));
    for (unsigned char b : bytes) value = (value ^ b) * 1099511628211u;
  }
  void add(const Var& x) {
    for (real v : values(x)) add(v);
  }
};

/// Of f at 4000 places: half of them any pattern of bits, half in (−8, 8); as float, then as double.
template <class F> std::uint64_t digest(const F& f) {
  Digest d;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Words w = random_block(7, i), v = random_block(8, i);
    const double x = (w.w[2] - 2147483648.0) / 268435456.0, p = (v.w[2] - 2147483648.0) / 268435456.0;
    const std::uint64_t bits = std::uint64_t{w.w[0]} << 32 | w.w[1],
                        more = std::uint64_t{v.w[0]} << 32 | v.w[1];
    d.add(f(std::bit_cast<float>(w.w[0]), std::bit_cast<float>(v.w[0])));
    d.add(f(static_cast<float>(x), static_cast<float>(p)));
    d.add(f(std::bit_cast<double>(bits), std::bit_cast<double>(more)));
    d.add(f(x, p));
  }
  return d.value;
}

}  // namespace

#define DALE_WORST(T, name, bound, ...)                                                             \
  for (const Stream& argument : {__VA_ARGS__}) {                                                    \
    INFO(#T " " #name " of one of " #__VA_ARGS__);                                                  \
    CHECK(worst<T>([](T x) { return scalar::name(x); }, [](long double x) { return std::name(x); }, \
                   argument) < bound);                                                              \
  }

TEST_CASE("functions are as near the exact value as functions.h says", "[tensor][functions]") {
  DALE_WORST(float, exp, 1.1, between(-104, 89))
  DALE_WORST(float, expm1, 1.7, between(-20, 89), magnitude(-30, 2))
  DALE_WORST(float, log, 2, size(-149, 128), between(0.3, 3))
  DALE_WORST(float, log1p, 3.5, between(-0.999, 2), magnitude(-30, 0))
  DALE_WORST(float, sin, 1.5, magnitude(-30, 1))
  DALE_WORST(float, erf, 3, between(-4.5, 4.5), magnitude(-100, 2))
  DALE_WORST(float, tanh, 3, between(-10, 10))

  DALE_WORST(double, exp, 0.9, between(-745.2, 709.7), magnitude(-60, 2))
  DALE_WORST(double, expm1, 1.7, between(-40, 709), magnitude(-60, 1))
  DALE_WORST(double, log, 0.6, size(-1074, 1024), between(0.3, 3))
  DALE_WORST(double, log1p, 0.7, between(-0.9999, 2), magnitude(-60, 0), size(0, 1000))
  DALE_WORST(double, sin, 1.1, between(-100, 100), magnitude(-60, 20.5))
  DALE_WORST(double, cos, 1.1, between(-100, 100), magnitude(-30, 20.5))
  DALE_WORST(double, erf, 4.5, between(-6.5, 6.5), magnitude(-100, 2))
  DALE_WORST(double, tanh, 3, between(-20, 20))
  // The nearest that a double comes to a multiple of π/2, where the quotient and the rest are hardest.
  for (double n : {1.0, 2.0, 3.0, 11.0, 344.0, 1e5, 1e6})
    CHECK(ulp(scalar::cos(n * std::numbers::pi / 2),
              std::cos(static_cast<long double>(n * std::numbers::pi / 2))) < 1.1);

  double turned = 0;  // in float the error of sin and cos is absolute
  for (int i = 0; i < 10000; ++i) {
    const float x = static_cast<float>(between(-1e4, 1e4)(i));
    turned = larger(turned, std::abs(scalar::sin(x) - std::sin(static_cast<double>(x))));
    turned = larger(turned, std::abs(scalar::cos(x) - std::cos(static_cast<double>(x))));
  }
  CHECK(turned < 2e-7);

  double near = 0, far = 0, single = 0;
  for (int i = 0; i < 10000; ++i) {
    const double x = size(-90, 90)(i), p = between(-8, 8)(i);
    const double y = between(0.5, 2)(i), q = between(-800, 800, 4)(i);
    near = larger(near, ulp(scalar::power(x, p), std::pow(static_cast<long double>(x), p)));
    far = larger(far, ulp(scalar::power(y, q), std::pow(static_cast<long double>(y), q)));
    const float a = static_cast<float>(x), b = static_cast<float>(p);
    single = larger(single, ulp(scalar::power(a, b), std::pow(static_cast<long double>(a), b)));
  }
  CHECK(near < 1);
  CHECK(far < 20);
  CHECK(single < 0.501);
  for (int x = 2; x < 200; ++x) {  // what has an exact power gets it
    double exact = 1;
    for (int p = 1; exact * x < 9e15; ++p) {
      exact *= x;
      if (scalar::power(double(x), double(p)) != exact) FAIL(x << " to the power " << p);
    }
    if (scalar::power(double(x) * x, 0.5) != x) FAIL("root of the square of " << x);
  }
  CHECK(scalar::hypot(3, 4) == 5);
  CHECK(scalar::hypot(-3e100, 4e100) == Approx(5e100));
}

TEST_CASE("functions have the limits that IEEE 754 gives them", "[tensor][functions]") {
  const auto same = [](double a, double b) {
    return (a != a && b != b) || (a == b && std::signbit(a) == std::signbit(b));
  };
  const double tiny = 5e-324, huge = std::numeric_limits<double>::max();
  std::vector<double> edges{undefined};
  for (double v : {0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 9007199254740991.0, 1e308, tiny, infinity})
    edges.insert(edges.end(), {v, -v});
  for (double x : edges) {
    INFO(x);
    for (double p : edges) {  // std::pow is a last place away at most, and its limits are what is asked for
      const double got = scalar::power(x, p), wanted = std::pow(x, p);
      INFO("to the power " << p);
      CHECK((same(got, wanted) ||
             (std::signbit(got) == std::signbit(wanted) && got == Approx(wanted).epsilon(1e-15))));
      const float single = scalar::power(static_cast<float>(x), static_cast<float>(p));
      CHECK(same(static_cast<double>(single),
                 static_cast<double>(std::pow(static_cast<float>(x), static_cast<float>(p)))));
    }
    if (std::abs(x) > tiny && std::abs(x) < infinity) continue;  // measured above
    CHECK(same(scalar::exp(x), std::exp(x)));
    CHECK(same(scalar::expm1(x), std::expm1(x)));
    CHECK(same(scalar::log(x), std::log(x)));
    CHECK(same(scalar::log1p(x), std::log1p(x)));
    CHECK(same(scalar::sin(x), std::sin(x)));
    CHECK(same(scalar::cos(x), std::cos(x)));
    CHECK(same(scalar::erf(x), std::erf(x)));
    CHECK(same(static_cast<double>(scalar::erf(static_cast<float>(x))),
               static_cast<double>(std::erf(static_cast<float>(x)))));
  }
  CHECK(same(scalar::log(-tiny), undefined));
  CHECK(scalar::log1p(-1.0) == -infinity);
  CHECK(same(scalar::log1p(-1.5), undefined));
  CHECK(scalar::exp(709.782712893384) < infinity);  // log of the largest number
  CHECK(scalar::exp(709.782712893385) == infinity);
  CHECK(scalar::exp(-745.13) == tiny);
  CHECK(scalar::exp(-745.14) == 0);
  CHECK(scalar::expm1(-60.0) == -1);
  CHECK(scalar::log(huge) == 709.782712893384);
  CHECK(scalar::erf(6.0) == 1);
  CHECK(scalar::erf(-4.0f) == -1);
}

TEST_CASE("functions have these bits on every processor, with every compiler", "[tensor][functions]") {
  const auto check = [](const char* what, std::uint64_t bits, auto f) {
    INFO(what);
    CHECK(digest(f) == bits);
  };
  check("exp", 0x61f138543798725du, [](auto x, auto) { return scalar::exp(x); });
  check("expm1", 0xca1262ee92637114u, [](auto x, auto) { return scalar::expm1(x); });
  check("log", 0x8c8af6708494496cu, [](auto x, auto) { return scalar::log(x); });
  check("log1p", 0x35b8245292fba5c4u, [](auto x, auto) { return scalar::log1p(x); });
  check("sin", 0xcf012b3eee9c3e65u, [](auto x, auto) { return scalar::sin(x); });
  check("cos", 0xc418dda5568e2ec6u, [](auto x, auto) { return scalar::cos(x); });
  check("sqrt", 0x948308327f5fd584u, [](auto x, auto) { return scalar::sqrt(x); });
  check("erf", 0x1c54f8c041156a29u, [](auto x, auto) { return scalar::erf(x); });
  check("tanh", 0x294bca2b73c9b32eu, [](auto x, auto) { return scalar::tanh(x); });
  check("softplus", 0xfd35881265864fa9u, [](auto x, auto) { return scalar::softplus(x); });
  check("sigmoid", 0x8440d53fc892b7a7u, [](auto x, auto) { return scalar::sigmoid(x); });
  check("silu_slope", 0xfa9aaad10ca86264u, [](auto x, auto) { return scalar::silu_slope(x); });
  check("power", 0x11e1dd5d1812ff39u, [](auto x, auto p) { return scalar::power(x, p); });
  check("hypot", 0xa3c47c26e5f111a5u, [](double x, double y) { return scalar::hypot(x, y); });
}

#ifndef DALE_DOUBLE
TEST_CASE("so have the kernels that multiply no matrices", "[tensor][functions]") {
  const auto check = [](const char* what, std::uint64_t bits, const Vars& results) {
    INFO(what);
    Digest d;
    for (const Var& x : results) d.add(x);
    CHECK(d.value == bits);
  };
  const Shape shape{3, 24, 9, 11};
  const Var x = 3 * Var(normal(Key{1}, shape)), y = normal(Key{2}, shape), images = permute(x, {0, 2, 3, 1});
  const Var gamma = normal(Key{3}, {24}), beta = normal(Key{4}, {24});
  Vars maps, zips;
#define DALE_MAP(name, formula) maps.push_back(raw::unary(Unary::name, x.value()));
#define DALE_ZIP(name, formula) zips.push_back(raw::binary(Binary::name, x.value(), y.value()));
  DALE_UNARY(DALE_MAP)
  DALE_BINARY(DALE_ZIP)
  check("maps", 0xc3ed68a404d97522u, maps);
  check("zips", 0x4e13a5c6f834826cu, zips);
  check("random numbers", 0x2dcab8a13fbbd191u,
        {normal(Key{5}, {100001}), uniform(Key{6}, {100001}), bernoulli(Key{7}, {1001}, 0.3)});
  check("sums", 0x7fc61addb4182e66u,
        {sum(normal(Key{8}, {100003})), sum(x), sum(x, {0, 2, 3}), sum(x, {0}), sum(images, {0, 1, 2}),
         max(x, {1}), mean(x, {3}), variance(x, {2, 3})});
  check("softmax and layer norm", 0x6a9c1d152b8688c2u,
        {softmax(x, 1), logsumexp(x, {1, 2}), layer_norm(images, gamma, beta), gelu(x), max_pool(x, 3, 2, 1),
         upsample_nearest(x, 2)});
  const Var p = parameter(x.value()), q = parameter(gamma.value()), r = parameter(beta.value());
  for (bool silu : {false, true}) {
    const Var z = group_norm(p, q, r, 8, 1e-5, silu);
    const Vars g = grad(sum(z * y), {p, q, r});
    check("group norm", silu ? 0x543bed91cf6e0d2cu : 0xc9d22277e416a8d8u, {z, g[0], g[1], g[2]});
  }
  Var w = parameter(x.value().clone());
  Adam adam({{"w", &w}}, {0.9, 0.999, 1e-8, 0.01});
  for (std::uint64_t t = 1; t <= 20; ++t) adam.step({normal(Key{t}, shape)}, 1e-3);
  check("Adam", 0x73efad5ac1581d02u, {w});
}
#endif
