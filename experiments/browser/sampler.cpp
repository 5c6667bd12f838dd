// What the page asks of the library, which emscripten compiled to WebAssembly with this file: worker.js calls
// these three in a worker of the browser. Requests and answers are JSON; an answer of {"error": …} is one
// sentence. The models are files in the module's own memory.
#include <emscripten.h>

#include <nlohmann/json.hpp>

#include "experiments/run/sample.h"
#include "tensor/cpu/parallel.h"
#include "tensor/draw.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;

/// Worker.js is shown n numbers x at a noise level; at level 0 they are the samples.
EM_JS(void, show, (const real* x, int n, double level, int evaluations),
      { Module.show(HEAPF32.slice(x >> 2, (x >> 2) + n), level, evaluations); });

const char* answered(const std::function<Json()>& work) {
  static std::string answer;
  Json json;
  try {
    set_threads(1);
    json = work();
  } catch (const std::exception& error) { json = {{"error", error.what()}}; }
  answer = json.dump();
  return answer.c_str();
}

Model& model_of(const std::string& path) {
  static std::map<std::string, Model> loaded;
  const auto found = loaded.find(path);
  return found != loaded.end() ? found->second : loaded.emplace(path, load_model(path)).first->second;
}

Tensor image_of(const Json& values, const Model& model) {
  return Tensor({1, model.height, model.width}, values.get<std::vector<real>>());
}

SampleOptions options_of(const Json& asked, const Model& model) {
  SampleOptions o;
  o.sampler = asked.at("sampler");
  o.steps = asked.at("steps");
  o.count = o.batch = asked.at("count");
  o.seed = std::stoull(asked.at("seed").get<std::string>());
  o.eta = asked.value("eta", o.eta);
  o.guidance = asked.value("guidance", o.guidance);
  o.classes = asked.value("classes", o.classes);
  if (asked.contains("known"))
    o.known = image_of(asked["known"], model), o.mask = image_of(asked["mask"], model);
  return o;
}

/// How many numbers of b have another sign than in a.
Index changes(const Tensor& a, const Tensor& b) {
  Index count = 0;
  const auto p = a.cspan(), q = b.cspan();
  for (std::size_t i = 0; i < p.size(); ++i) count += (p[i] < 0) != (q[i] < 0);
  return count;
}

}  // namespace
}  // namespace dale

extern "C" {

/// zlib's, the one function of it that a model's file needs: the CRC-32 of n more bytes.
unsigned long crc32_z(unsigned long crc, const unsigned char* bytes, std::size_t n) {
  std::uint32_t rest = ~static_cast<std::uint32_t>(crc);
  for (std::size_t i = 0; i < n; ++i) {
    rest ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0xedb88320u : 0u);
  }
  return ~rest;
}

/// Of {model, sampler, steps, count, seed, and what options_of takes}: shows every state x on the way from
/// noise, the levels falling, and the samples; answers {evaluations, sign_changes}.
EMSCRIPTEN_KEEPALIVE const char* dale_sample(const char* request) {
  using namespace dale;
  return answered([&]() -> Json {
    const Json asked = Json::parse(request);
    Model& model = model_of(asked.at("model"));
    SampleOptions o = options_of(asked, model);
    Tensor before;
    Index changed = 0;
    int evaluations = 0;
    const auto see = [&](const Tensor& x, double level) {
      if (before.defined()) changed += changes(before, x);
      before = x;
      show(x.cspan().data(), static_cast<int>(x.size()), level, evaluations);
    };
    o.watch = [&](const Var& y, double level) {
      see(model.process->unchart(y).value().packed(), level);
      ++evaluations;
    };
    const SampleResult r = sample(model, o);
    evaluations = static_cast<int>(r.evaluations);
    see(model.embedding.embed(r.images).value(), 0);
    return {{"evaluations", r.evaluations}, {"sign_changes", r.sign_changes < 0 ? changed : r.sign_changes}};
  });
}

/// For the tests: the bits of n integers below 1000 and of n normals.
EMSCRIPTEN_KEEPALIVE const char* dale_numbers(int n) {
  using namespace dale;
  return answered([&]() -> Json {
    std::vector<std::uint32_t> bits;
    for (real z : normal(Key{7}, {n}).to_vector()) bits.push_back(std::bit_cast<std::uint32_t>(z));
    return {{"integers", integers(Key{7}, {n}, 0, 1000).to_vector()}, {"normals", bits}};
  });
}
}
