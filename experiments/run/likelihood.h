// Bits per dimension of a data set's test images: `dale likelihood`.
#pragma once

#include <algorithm>

#include "diffusion/likelihood.h"
#include "diffusion/sampler.h"
#include "experiments/data/dataset.h"
#include "experiments/run/model.h"
#include "experiments/run/progress.h"

namespace dale {

struct LikelihoodOptions {
  std::filesystem::path model;
  std::string dataset = "fashion-mnist", data;
  Index count = 16, batch = 64;
  int steps = 100;
  std::uint64_t seed = 0;
  Device device = Device::cpu;
};

/// Mean of (IV.34) over the first `count` test images, by the probability flow with one Hutchinson draw per
/// image.
struct Likelihood {
  double bits;
  double standard_error;  // over images; NaN of one image, which has none
  double solver_error;    // |bits with half the steps − bits|, as an estimate: the integral's own error
  Index count;
  std::string note;  // the data set's
};

/// Independent of the batch. Throws as load_model and load_dataset, and std::invalid_argument for images of
/// another size than the model's.
inline Likelihood likelihood(const LikelihoodOptions& o) {
  Model model = load_model(o.model);
  model.to(o.device);
  const Dataset test = load_dataset(o.dataset, o.data, Split::test, treatment_of(model.notes));
  const Tensor& images = test.images;
  model.expect_images(images, o.dataset);
  const Index count = std::min(o.count, images.dim(0));
  model.embedding.expect_domain(images, o.dataset);
  Progress bar("likelihood", count, "images", 1);
  const auto bits = [&](int steps, Index first, Index n) {
    auto levels = edm_levels(*model.process, steps, 0.002, 40 * model.edm.deviation);
    levels.pop_back();
    std::reverse(levels.begin(), levels.end());
    return bits_per_dimension(*model.process, model.embedding, model.denoiser(), model.edm,
                              images.slice(0, first, first + n).packed().to(o.device), levels,
                              Trace::hutchinson, Key{o.seed}, static_cast<std::uint64_t>(first));
  };
  std::vector<double> all;
  double half = 0, mean = 0, squares = 0;
  for (Index first = 0; first < count; first += o.batch) {
    const Index n = std::min(o.batch, count - first);
    for (double b : bits(o.steps, first, n)) all.push_back(b);
    for (double b : bits(std::max(2, o.steps / 2), first, n)) half += b / static_cast<double>(count);
    bar.update(first + n);
  }
  const double n = static_cast<double>(count);
  for (double b : all) mean += b / n;
  for (double b : all) squares += (b - mean) * (b - mean);
  const double none = std::numeric_limits<double>::quiet_NaN();
  return {mean, count > 1 ? std::sqrt(squares / (n - 1) / n) : none,
          o.steps > 3 ? std::abs(half - mean) : none, count, test.note};
}

/// Lines for people: the value, and how far the solver's error lets one read its digits.
inline std::string text_of(const Likelihood& r, const LikelihoodOptions& o) {
  std::string text = fmt::format("{:.3f}", r.bits);
  if (r.count > 1) text += fmt::format(" ± {:.3f}", r.standard_error);
  text += fmt::format(" bits/dim over {} test images of {} ({} steps, one Hutchinson draw each)\n", r.count,
                      o.dataset, o.steps);
  if (r.count == 1) text += "one image has no standard error: ask for more with --count\n";
  if (std::isnan(r.solver_error))
    text += fmt::format("{} steps do not tell the solver's error: ask for 4 or more with --steps\n", o.steps);
  else
    text += fmt::format("half the steps give a value {:.2g} away: the solver's error is {} these digits\n",
                        r.solver_error, r.solver_error < 0.0005 ? "below" : "above");
  return text + (r.note.empty() ? "" : fmt::format("{}: {}\n", o.dataset, r.note));
}

}  // namespace dale
