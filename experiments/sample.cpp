#include "experiments/sample.h"

#include <nlohmann/json.hpp>

#include "autograd/anomaly.h"
#include "diffusion/sampler.h"
#include "experiments/progress.h"
#include "tensor/cpu/parallel.h"
#include "tensor/file.h"
#include "tensor/image.h"
#include "tensor/npy.h"

namespace dale {
namespace {

// Streams of the run's key.
enum : std::uint64_t { prior_stream, noise_stream };

struct Batch {
  const Denoiser& D;
  const Edm& edm;
  const SampleOptions& options;
  Shape shape;
  std::uint64_t first;
  Key key;

  Var prior(double s) const {
    return normal_prior(shape, edm.mean, std::hypot(s, edm.deviation), key.split(prior_stream), first, options.device);
  }
};

Var sample_probability_flow(const Batch& b) {
  const auto levels = edm_levels(b.options.steps, b.options.s_min, b.options.s_max_factor * b.edm.deviation);
  return probability_flow(b.D, b.prior(levels[0]), levels);
}

Var sample_dale_langevin(const Batch& b) {
  const auto gbm = GeometricBrownianMotion::driftless(b.options.sigma, b.options.horizon);
  return dale_langevin(score_of(b.D, gbm), b.prior(gbm.s(gbm.T)), gbm, b.options.steps, b.key.split(noise_stream),
                       b.first);
}

struct Entry {
  const char* name;
  bool multiplicative_only;
  Var (*run)(const Batch&);
};
constexpr Entry samplers[] = {{"dale-langevin", true, sample_dale_langevin},
                              {"probability-flow", false, sample_probability_flow}};

const Entry& sampler_named(const std::string& name) {
  for (const Entry& e : samplers)
    if (name == e.name) return e;
  unknown_name("sampler", name, sampler_names());
}

}  // namespace

const std::vector<std::string>& sampler_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Entry& e : samplers) all.push_back(e.name);
    return all;
  }();
  return names;
}

SampleResult sample(Model& model, const SampleOptions& o) {
  const Entry& entry = sampler_named(o.sampler);
  if (entry.multiplicative_only && !model.process->multiplicative())
    invalid("the sampler {} multiplies, but the model was trained with the additive process {}: use probability-flow",
            o.sampler, model.process->name());
  if (o.count < 1 || o.batch < 1) invalid("sampling needs at least 1 image, not {} in batches of {}", o.count, o.batch);
  const NoGrad off;
  model.to(o.device);
  Index calls = 0;
  const Denoiser network = model.denoiser();
  const Denoiser counted = [&](const Var& y, double s) {
    ++calls;
    return network(y, s);
  };
  SampleResult result{Tensor({o.count, 1, o.size, o.size}), 0, 0};
  Progress bar("sampling with " + o.sampler, o.count, "images", 1);
  for (Index first = 0; first < o.count; first += o.batch) {
    const Index n = std::min(o.batch, o.count - first);
    const Var y = entry.run({counted, model.edm, o, {n, 1, o.size, o.size}, static_cast<std::uint64_t>(first), Key{o.seed}});
    const Var x = finite_step("leaving the chart, image", first + 1, [&] { return model.process->unchart(y); });
    raw::copy_into(result.images.slice(0, first, first + n), pixels_of(x).value().to(Device::cpu));
    if (first == 0) result.evaluations = calls;
    bar.update(first + n);
  }
  result.seconds = bar.seconds();
  return result;
}

void write_samples(const std::filesystem::path& out, const SampleResult& r, const Model& model, const SampleOptions& o) {
  make_folder(out);
  const nlohmann::ordered_json about = {{"dale", version},
                                        {"process", model.process->name()},
                                        {"model", model.notes},
                                        {"sampler", o.sampler},
                                        {"steps", o.steps},
                                        {"evaluations", r.evaluations},
                                        {"count", o.count},
                                        {"seed", o.seed},
                                        {"batch", o.batch},
                                        {"s_min", o.s_min},
                                        {"s_max_factor", o.s_max_factor},
                                        {"sigma", o.sigma},
                                        {"horizon", o.horizon},
                                        {"device", str(o.device)},
                                        {"threads", threads()},
                                        {"seconds", r.seconds}};
  write_npy(out / "samples.npy", r.images);
  const Index columns = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(r.images.dim(0)))));
  write_png(out / "grid.png", image_grid(r.images, columns, 2, 2));
  write_file(out / "sample.json", about.dump(2) + "\n");
}

}  // namespace dale
