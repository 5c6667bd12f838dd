#include "experiments/run/sample.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "diffusion/consistency.h"
#include "diffusion/denoiser.h"
#include "diffusion/sampler.h"
#include "experiments/data/idx.h"
#include "experiments/run/objective.h"
#include "experiments/run/progress.h"
#include "experiments/run/ranks.h"
#include "experiments/run/samples.h"
#include "experiments/run/sampling.h"
#include "experiments/run/stop.h"
#include "tensor/file.h"

namespace dale {
namespace {

using Levels = std::vector<double>;

struct Entry {
  const char* name;
  Var (*by_level)(const Sampling&, const Var& y, const Levels&);  // y in the frame, or null
  Var (*in_time)(const Sampling&) = nullptr;  // for multiplicative processes; with both --grid chooses
  std::vector<std::string> reads{};           // more than those of its grid

  bool consistency() const { return name == std::string_view("consistency"); }
  bool uniform(const SampleOptions& o) const { return !by_level || (in_time && o.grid == "uniform"); }

  /// Whether it reads an option that not all samplers read.
  bool reads_option(const SampleOptions& o, const std::string& option) const {
    if (option == "--grid") return by_level && in_time;
    if (option == "--sigma" || option == "--horizon") return uniform(o);
    if (option == "--s-max") return !uniform(o);
    if (option == "--s-min") return !uniform(o) && !consistency();
    if (option == "--between") return consistency();
    return std::find(reads.begin(), reads.end(), option) != reads.end();
  }

  Var run(const Sampling& b) const {
    const SampleOptions& o = b.options;
    if (uniform(o)) return in_time(b);
    const Edm& edm = b.model.edm;  // from N(ȳ, s_max² + σ_d²)
    Levels levels;
    try {
      if (consistency())
        levels = consistency_levels(edm_levels(*b.model.process, 1, 1e-6, o.s_max_factor * edm.deviation)[0],
                                    edm.deviation, o.steps, o.between);
      else
        levels = edm_levels(*b.model.process, o.steps,
                            std::max(o.s_min_factor * edm.deviation, least_level(*b.model.process)),
                            o.s_max_factor * edm.deviation);
    } catch (const std::invalid_argument& error) {
      invalid("{} (--s-min and --s-max are {} and {} deviations of the data, each {:.4g})", error.what(),
              o.s_min_factor, o.s_max_factor, edm.deviation);
    }
    return by_level(b, b.prior(edm.mean, scalar::hypot(levels[0], edm.deviation)), levels);
  }
};

const std::vector<Entry>& samplers() {
  using S = const Sampling&;
  using Y = const Var&;
  using L = const Levels&;
  static const auto langevin = [](S b, Y y, L s, double eta) {
    return take_steps(b.D, y, dale_langevin_steps(s, eta), b.noise(), b.first);
  };
  static const std::vector<Entry> all{
      {"probability-flow", [](S b, Y y, L s) { return heun(b.D, y, s); }},
      {"ddim", [](S b, Y y, L s) { return ddim(b.D, y, s); }},
      {"dpm-solver", [](S b, Y y, L s) { return dpm_solver(b.D, y, s); }},
      {"ancestral", [](S b, Y y, L s) { return take_steps(b.D, y, ancestral_steps(s), b.noise(), b.first); }},
      {"consistency",
       [](S b, Y y, L s) { return take_steps(b.D, y, consistency_steps(s), b.noise(), b.first); }},
      {"stochastic", [](S b, Y y, L s) { return stochastic_heun(b.D, y, s, {}, b.noise(), b.first); }},
      {"dale-langevin",
       [](S b, Y y, L s) { return langevin(b, y, s, 1); },
       [](S b) { return sample_uniform(b, 1); },
       {"--annealed"}},
      {"unconstrained", nullptr, sample_unconstrained, {"--annealed"}},
      {"eta",
       [](S b, Y y, L s) { return langevin(b, y, s, b.options.eta); },
       [](S b) { return sample_uniform(b, b.options.eta); },
       {"--eta"}}};
  return all;
}

const Entry& sampler_of(const SampleOptions& o) { return row_named("sampler", o.sampler, samplers()); }

void check_options(const Entry& entry, const Model& model, const SampleOptions& o) {
  if (entry.in_time && !model.process->multiplicative())
    invalid(
        "the sampler {} multiplies, but the model was trained with the additive process {}: use "
        "probability-flow",
        o.sampler, model.process->name());
  if (entry.consistency() != model.consistent())
    invalid("the sampler {} is not for this model: consistency is for those of dale tune, and for them alone",
            o.sampler);
  if (o.grid != "levels" && o.grid != "uniform") unknown_name("grid", o.grid, {"levels", "uniform"});
  if (o.annealed && (!entry.reads_option(o, "--annealed") || !entry.uniform(o) || o.steps != paper_levels))
    invalid("the paper's constants are of dale-langevin and unconstrained at {} steps, not of {} at {}",
            paper_levels, o.sampler, o.steps);
  if (o.count < 1 || o.batch < 1)
    invalid("sampling needs at least 1 image, not {} in batches of {}", o.count, o.batch);
  const Index known_classes = model.network.shape.classes;
  if (!o.classes.empty() && !known_classes)
    invalid("the model was trained without classes: train one with --classes");
  for (std::int32_t c : o.classes)
    if (c < 0 || c >= known_classes)
      invalid("there is no class {}; the model knows 0 to {}", c, known_classes - 1);
  if (!std::isfinite(o.guidance)) invalid("the guidance is {}; it must be finite", o.guidance);
  if (o.known.defined() && model.embedding != Embedding{})
    invalid("a picture to complete holds pixels, the model's data are embedded as {}",
            model.embedding.name());
  if (o.known.defined() != o.mask.defined()) invalid("inpainting needs both a picture and a mask");
  const Shape mask{1, model.height, model.width}, one{model.network.shape.colours, mask[1], mask[2]};
  if (o.known.defined() && (!(o.known.shape() == one) || !(o.mask.shape() == mask)))
    invalid("the picture to complete is {} and its mask {}; the model's images are {}, masks {}",
            str(o.known.shape()), str(o.mask.shape()), str(one), str(mask));
}

/// The model, captured, for it is asked for the same shapes at every step. With labels (batch) it is told
/// label n for image n, else no class.
ScoreModel captured(const Model& model, const IntTensor& labels = {}) {
  ScoreModel asked = model.score_model();
  asked.network = dale::captured([&model, labels](const Var& x, const Var& t) {
    return model.network(x, t, {labels.defined() ? labels.slice(0, 0, x.dim(0)) : labels, {}});
  });
  return asked;
}

/// The denoiser on the conditions asked for, from the model without them and the same told the labels; tells
/// `asked` of each call.
Denoiser denoiser_of(const Model& model, const ScoreModel& plain, const ScoreModel& told,
                     const SampleOptions& o, const std::function<void(const Var& y, double s)>& asked) {
  const auto watched = [&asked](const Denoiser& network) -> Denoiser {
    return [&asked, network](const Var& y, double s) {
      asked(y, s);
      return network(y, s);
    };
  };
  Denoiser D = watched(plain.denoiser());
  if (!o.classes.empty()) D = guided(watched(told.denoiser()), D, o.guidance);
  if (!o.known.defined()) return D;
  return replaced(D, model.chart(o.known.to(o.device)), o.mask.to(o.device));
}

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> all;
  for (const Entry& e : samplers())
    if (!e.consistency()) all.push_back(e.name);
  return all;
}

nlohmann::ordered_json json_of(const SampleOptions& o) {
  nlohmann::ordered_json json{{"sampler", o.sampler},
                              {"steps", o.steps},
                              {"count", o.count},
                              {"seed", o.seed},
                              {"device", str(o.device)}};
  const Entry& entry = sampler_of(o);
  const auto add = [&](const char* option, const char* key, const auto& value) {
    if (entry.reads_option(o, option)) json[key] = value;
  };
  add("--grid", "grid", o.grid);
  add("--s-min", "s_min_factor", o.s_min_factor);
  if (!o.between.empty()) add("--between", "between", o.between);
  add("--s-max", "s_max_factor", o.s_max_factor);
  add("--annealed", "annealed", o.annealed);
  if (!o.annealed) {
    add("--sigma", "sigma", o.sigma);
    add("--horizon", "horizon", o.horizon);
  }
  add("--eta", "eta", o.eta);
  if (!o.classes.empty()) json.update({{"classes", o.classes}, {"guidance", o.guidance}});
  if (o.known.defined()) json["inpainting_md5"] = md5(tensor_bytes(o.known) + tensor_bytes(o.mask));
  return json;
}

std::vector<std::string> unread_options(const SampleOptions& o) {
  const Entry& entry = sampler_of(o);
  std::vector<std::string> unread;
  for (const char* option :
       {"--grid", "--s-min", "--between", "--s-max", "--sigma", "--horizon", "--annealed", "--eta"})
    if (!entry.reads_option(o, option)) unread.push_back(option);
  return unread;
}

SampleResult sample(Model& model, const SampleOptions& o, SamplesFolder* folder) {
  const Entry& entry = sampler_of(o);
  check_options(entry, model, o);
  const NoGrad off;
  const StopSignals signals;
  model.to(o.device);
  const Index most = o.classes.empty() ? 0 : std::min(o.batch, o.count);
  const IntTensor labels({most}, o.device);  // of the batch at work
  const ScoreModel plain = captured(model), told = captured(model, labels);
  const auto images_of = [&](Index n) {
    return Shape{n, model.network.shape.colours, model.height, model.width};
  };
  SampleResult result{Tensor(images_of(o.count)), 0, 0};
  const Index done = told_by_first(folder ? folder->resume(result) : 0);
  Progress bar("sampling with " + o.sampler, o.count, "images", 1, done);
  const double before = result.seconds;
  const auto batch_from = [&](Index first) {
    const Index n = std::min(o.batch, o.count - first);
    Index calls = 0;
    const std::function<void(const Var&, double)> asked = [&](const Var& y, double s) {
      if (const int signal = signals.received())
        throw Stopped(signal, fmt::format("after {} of {} images{}", first, o.count,
                                          folder ? "; --resume continues with the next" : ""));
      if (o.watch && first == 0) o.watch(y, s);
      const Index expected = std::max<Index>(result.evaluations, o.steps);
      bar.update(first + n * std::min(calls, expected - 1) / expected, fmt::format("evaluation {}", ++calls));
    };
    if (!o.classes.empty()) {
      std::vector<std::int32_t> classes;
      for (Index i = first; i < first + most; ++i)
        classes.push_back(o.classes[static_cast<std::size_t>(i) % o.classes.size()]);
      labels.write(classes);
    }
    const Denoiser D = denoiser_of(model, plain, told, o, asked);
    const Var y = entry.run(
        {D, model, o, images_of(n), static_cast<std::uint64_t>(first), Key{o.seed}, result.sign_changes});
    const Var data = finite_step("leaving the chart, image", first + 1, [&] { return model.unchart(y); });
    Tensor images = data.value().to(Device::cpu);
    if (o.known.defined())
      images = where(o.mask, o.known, images).value();  // whatever the sampler made there
    result.evaluations = std::max(result.evaluations, calls);
    return images.packed();
  };
  for (Index round = done; round < o.count; round += o.batch * rank_count()) {  // a batch for each rank
    const Index own = round + o.batch * rank(), changes = result.sign_changes;
    Tensor mine;
    std::string failure;
    try {
      if (own < o.count) mine = batch_from(own);
    } catch (const NotFinite& error) { failure = error.what(); }
    if (const std::string first = first_said(failure); !first.empty()) throw NotFinite(first);
    const Index own_changes = std::exchange(result.sign_changes, changes) - std::max<Index>(0, changes);
    for (int r = 0; r < rank_count() && round + o.batch * r < o.count; ++r) {
      const Index first = round + o.batch * r, n = std::min(o.batch, o.count - first);
      Tensor images = r == rank() ? mine : Tensor(images_of(n));
      send_to_first(images, r);
      const Index more = told_by(r, own_changes);  // −1 of a sampler that changes none
      if (more >= 0) result.sign_changes = std::max<Index>(0, result.sign_changes) + more;
      if (rank() > 0) continue;
      raw::copy_into(result.images.slice(0, first, first + n), images);
      result.seconds = before + bar.seconds();
      if (folder) folder->append(images, result);
      bar.update(first + n);
    }
  }
  return result;
}

}  // namespace dale
