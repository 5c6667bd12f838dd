#include "nn/unet.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace dale {
namespace {

constexpr Index groups = 8;

/// ω_i = 10000^{−i/half}, i = 0 … half − 1, as (1,half), made once a machine: a captured function cannot copy
/// it from the host.
Var embedding_frequencies(Index half, Device device) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::pair<Index, Device>, Tensor>;  // outlives all static arrays
  const std::lock_guard lock(mutex);
  Tensor& omega = made[{half, device}];
  if (!omega.defined()) {
    std::vector<real> values;
    for (Index i = 0; i < half; ++i)
      values.push_back(static_cast<real>(scalar::exp(-scalar::log(10000.0) * static_cast<double>(i) / half)));
    omega = Tensor({1, half}, values, device);
  }
  return omega;
}

/// The sinusoidal embedding (III.3) of a time, sin and cos of 1000 t ω_i: t (N) → (N,width). REQUIRES width
/// even.
Var time_embedding(const Var& t, Index width) {
  const Var angle = reshape(1000 * t, {t.dim(0), 1}) * embedding_frequencies(width / 2, t.device());
  return concat({sin(angle), cos(angle)}, 1);
}

const UNetShape& checked(const UNetShape& s) {
  if (s.multipliers.empty()) invalid("[unet] there are no multipliers: give one a level, such as (1,2,2)");
  if (s.time_width < 2 || s.time_width % 2) invalid("[unet] the time width {} must be even", s.time_width);
  for (Index m : s.multipliers)
    if (m < 1 || s.channels < 1 || s.channels * m % groups)
      invalid("[unet] {} channels times {} must be a positive multiple of {}, the groups of its norms",
              s.channels, m, groups);
  for (Index level : s.attention)
    if (level < 0 || level >= static_cast<Index>(s.multipliers.size()))
      invalid("[unet] attention at level {}: the levels are 0 to {}", level, s.multipliers.size() - 1);
  return s;
}

bool attends(const UNetShape& s, std::size_t level) {
  return std::count(s.attention.begin(), s.attention.end(), static_cast<Index>(level)) > 0;
}

/// Channels of the lowest level.
Index deepest(const UNetShape& s) { return s.channels * s.multipliers.back(); }

}  // namespace

ResidualBlock::ResidualBlock(Index in, Index out, Index time_width, Key key, bool attends)
    : norm1(groups, in),
      conv1(in, out, 3, key.split(0), 1, 1),
      time(time_width, out, key.split(1)),
      norm2(groups, out),
      conv2(out, out, 3, key.split(2), 1, 1) {
  if (in != out) skip.emplace(in, out, 1, key.split(3));
  if (attends) attention.emplace(groups, out, key.split(4));
}

Var ResidualBlock::operator()(const Var& x, const Var& e, const Dropout& dropout) const {
  const Var h = conv1.shifted(norm1.then_silu(x), time(e));
  const Var y = conv2.plus(dropout(norm2.then_silu(h)), skip ? (*skip)(x) : x);
  return attention ? (*attention)(y) : y;
}

void ResidualBlock::visit(const std::string& prefix, const Visit& f) {
  norm1.visit(prefix + "norm1.", f);
  conv1.visit(prefix + "conv1.", f);
  time.visit(prefix + "time.", f);
  norm2.visit(prefix + "norm2.", f);
  conv2.visit(prefix + "conv2.", f);
  if (skip) skip->visit(prefix + "skip.", f);
  if (attention) attention->visit(prefix + "attention.", f);
}

ScoreUNet::ScoreUNet(const UNetShape& s, Key key)
    : shape(checked(s)),
      time1(s.time_width, s.time_width, key.split(0)),
      time2(s.time_width, s.time_width, key.split(1)),
      stem(s.colours, s.channels, 3, key.split(2), 1, 1),
      middle(deepest(s), deepest(s), s.time_width, key.split(3), attends(s, s.multipliers.size() - 1)),
      norm(groups, s.channels * s.multipliers[0]),
      head(s.channels * s.multipliers[0], s.colours, 3, key.split(4), 1, 1) {
  if (s.classes > 0) label = uniform_parameter(key.split(5), {s.classes + 1, s.time_width}, s.time_width);
  const std::size_t levels = s.multipliers.size();
  Index c = s.channels;
  for (std::size_t i = 0; i < levels; ++i) {
    const Index width = s.channels * s.multipliers[i];
    down.emplace_back(c, width, s.time_width, key.split(100 + i), attends(s, i));
    c = width;
    if (i + 1 < levels) shrink.emplace_back(c, c, 3, key.split(200 + i), 2, 1);
  }
  for (std::size_t i = levels; i-- > 0;) {
    const Index width = s.channels * s.multipliers[i];
    up.emplace_back(c + width, width, s.time_width, key.split(300 + i), attends(s, i));
    c = width;
    if (i > 0) grow.emplace_back(c, c, 3, key.split(400 + i), 1, 1);
  }
}

Var ScoreUNet::operator()(const Var& x, const Var& t, const Condition& condition) const {
  const Index unit = Index{1} << (shape.multipliers.size() - 1);
  if (x.rank() != 4 || x.dim(1) != shape.colours || x.dim(2) % unit || x.dim(3) % unit)
    invalid("[unet] x {} must be (N,{},H,W) with H and W multiples of {}", str(x.shape()), shape.colours,
            unit);
  const Shape times{x.dim(0)};
  if (!(t.shape() == times))
    invalid("[unet] t {} must have one time for each of the {} images", str(t.shape()), x.dim(0));

  Var time = time2(silu(time1(time_embedding(t, shape.time_width))));
  if (label) {
    const Index none = shape.classes;
    time = time + (condition.labels.defined() ? embedding(*label, condition.labels)
                                              : slice(*label, 0, none, none + 1));
  }
  const Var e = silu(time);
  Index block = 0;
  const auto dropout = [&] { return condition.dropout.layer(block++); };
  Var h = stem(x);
  Vars skips;
  for (std::size_t i = 0; i < down.size(); ++i) {
    h = down[i](h, e, dropout());
    skips.push_back(h);
    if (i < shrink.size()) h = shrink[i](h);
  }
  h = middle(h, e, dropout());
  for (std::size_t i = 0; i < up.size(); ++i) {
    h = up[i](concat({h, skips.back()}, 1), e, dropout());
    skips.pop_back();
    if (i < grow.size()) h = grow[i](upsample_nearest(h, 2));
  }
  return head(norm.then_silu(h));
}

void ScoreUNet::visit(const std::string& prefix, const Visit& f) {
  time1.visit(prefix + "time1.", f);
  time2.visit(prefix + "time2.", f);
  if (label) f(prefix + "label.weight", *label);
  stem.visit(prefix + "stem.", f);
  visit_list(prefix + "down.", down, f);
  visit_list(prefix + "shrink.", shrink, f);
  middle.visit(prefix + "middle.", f);
  visit_list(prefix + "up.", up, f);
  visit_list(prefix + "grow.", grow, f);
  norm.visit(prefix + "norm.", f);
  head.visit(prefix + "head.", f);
}

}  // namespace dale
