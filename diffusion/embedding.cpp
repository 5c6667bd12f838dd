#include "diffusion/embedding.h"

#include <charconv>

#include "tensor/check.h"

namespace dale {
namespace {

constexpr const char* embedding_kinds[] = {"pixels", "identity", "offset", "log"};
constexpr std::string_view offset_prefix = "offset:";

}  // namespace

std::string Embedding::name() const {
  const std::string word = embedding_kinds[static_cast<int>(kind)];
  return kind == Kind::offset ? fmt::format("{}:{}", word, offset) : word;
}

Embedding embedding_named(const std::string& name) {
  for (const Embedding::Kind kind :
       {Embedding::Kind::pixels, Embedding::Kind::identity, Embedding::Kind::log})
    if (const Embedding e{kind}; e.name() == name) return e;
  if (name.starts_with(offset_prefix)) {
    Embedding e{Embedding::Kind::offset};
    const char *begin = name.data() + offset_prefix.size(), *end = name.data() + name.size();
    const auto [last, error] = std::from_chars(begin, end, e.offset);
    if (error == std::errc() && last == end && e.offset > 0 && std::isfinite(e.offset)) return e;
    invalid("the embedding {} needs a number above 0, as offset:0.1 has", name);
  }
  unknown_name("embedding", name, {"pixels", "identity", "offset:C", "log"});
}

Var Embedding::embed(const Var& data) const {
  if (kind == Kind::pixels) return 1 + data;
  if (kind == Kind::offset) return offset + data;
  return kind == Kind::log ? log(data) : data;
}

Var Embedding::data_of(const Var& x) const {
  if (kind == Kind::pixels) return clamp(x, 1, 2) - 1;
  if (kind == Kind::offset) return clamp(x, offset, std::numeric_limits<double>::infinity()) - offset;
  return kind == Kind::log ? exp(x) : x;
}

Var Embedding::log_slope(const Var& data) const { return kind == Kind::log ? -log(data) : 0 * data; }

void Embedding::expect_domain(const Tensor& data, const std::string& source) const {
  const bool pixels = kind == Kind::pixels, may_be_0 = pixels || kind == Kind::offset;
  Index outside = 0, first = 0, at = 0;
  const Tensor values = data.packed();
  for (const real v : values.cspan()) {
    const bool holds = std::isfinite(v) && (v > 0 || (may_be_0 && v == 0)) && (!pixels || v <= 1);
    if (!holds && outside++ == 0) first = at;
    ++at;
  }
  if (!outside) return;
  failed("{}: {} of {} values are not {}, as the embedding {} takes them; the first, at {}, is {}: {}",
         source, outside, data.size(),
         pixels     ? "in [0, 1]"
         : may_be_0 ? "0 or more"
                    : "above 0",
         name(), str(place_of(first, data.shape())), values.cspan()[static_cast<std::size_t>(first)],
         pixels     ? "choose --embedding identity for what is positive by nature, offset:C for what may be 0"
         : may_be_0 ? "mend the data"
                    : "choose --embedding offset:C, C > 0, for what may be 0");
}

}  // namespace dale
