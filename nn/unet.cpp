#include "nn/unet.h"

#include <algorithm>

namespace dale {
namespace {

constexpr Index groups = 8;

std::string child(const std::string& prefix, const char* name, std::size_t i) {
  return prefix + name + "." + std::to_string(i) + ".";
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
      stem(s.colours, s.channels, 3, key.split(2), 1, 1) {
  if (s.classes > 0) label = uniform_parameter(key.split(5), {s.classes + 1, s.time_width}, s.time_width);
  const std::size_t levels = s.multipliers.size();
  const auto attends = [&s](std::size_t level) {
    return std::find(s.attention.begin(), s.attention.end(), static_cast<Index>(level)) != s.attention.end();
  };
  Index c = s.channels;
  for (std::size_t i = 0; i < levels; ++i) {
    const Index width = s.channels * s.multipliers[i];
    down.emplace_back(c, width, s.time_width, key.split(100 + i), attends(i));
    c = width;
    if (i + 1 < levels) shrink.emplace_back(c, c, 3, key.split(200 + i), 2, 1);
  }
  middle.emplace_back(c, c, s.time_width, key.split(3), attends(levels - 1));
  for (std::size_t i = levels; i-- > 0;) {
    const Index width = s.channels * s.multipliers[i];
    up.emplace_back(c + width, width, s.time_width, key.split(300 + i), attends(i));
    c = width;
    if (i > 0) grow.emplace_back(c, c, 3, key.split(400 + i), 1, 1);
  }
  norm.emplace(groups, c);
  head.emplace(c, s.colours, 3, key.split(4), 1, 1);
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
  h = middle[0](h, e, dropout());
  for (std::size_t i = 0; i < up.size(); ++i) {
    h = up[i](concat({h, skips.back()}, 1), e, dropout());
    skips.pop_back();
    if (i < grow.size()) h = grow[i](upsample_nearest(h, 2));
  }
  return (*head)(norm->then_silu(h));
}

void ScoreUNet::visit(const std::string& prefix, const Visit& f) {
  time1.visit(prefix + "time1.", f);
  time2.visit(prefix + "time2.", f);
  if (label) f(prefix + "label.weight", *label);
  stem.visit(prefix + "stem.", f);
  for (std::size_t i = 0; i < down.size(); ++i) down[i].visit(child(prefix, "down", i), f);
  for (std::size_t i = 0; i < shrink.size(); ++i) shrink[i].visit(child(prefix, "shrink", i), f);
  middle[0].visit(prefix + "middle.", f);
  for (std::size_t i = 0; i < up.size(); ++i) up[i].visit(child(prefix, "up", i), f);
  for (std::size_t i = 0; i < grow.size(); ++i) grow[i].visit(child(prefix, "grow", i), f);
  norm->visit(prefix + "norm.", f);
  head->visit(prefix + "head.", f);
}

}  // namespace dale
