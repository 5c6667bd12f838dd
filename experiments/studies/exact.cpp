// Samplers on problems whose scores and laws are known: how far from the truth after N steps, and at which
// order?
//
// Orders are measured without noise, against p at s_min, where no last step to 0 hides them: solvers of the
// flow on particles at the quantiles of p_T of the narrow mixture, stochastic samplers by the recursion of
// their mean and variance on one log-normal, which is linear. A fitted order is the slope of −log distance
// against log steps. The second half of the table is what a user meets: the whole way to 0, with noise where
// a sampler has it.
#include "diffusion/exact.h"

#include <algorithm>
#include <cmath>

#include "diffusion/additive.h"
#include "experiments/studies/study.h"

namespace dale {
namespace {

struct Row {
  std::string sampler, chart, problem;
  Index steps, evaluations;
  double distance;
  double order = 0;         // 0: not fitted
  Index sign_changes = -1;  // −1: cannot happen
};

using Solver = Var (*)(const Denoiser&, Var, const std::vector<double>&);
struct NamedSolver {
  const char* name;
  Solver run;
  int evaluations;  // a step
};
constexpr NamedSolver solvers[] = {{"ddim", ddim, 1}, {"heun", heun, 2}, {"dpm-solver", dpm_solver, 1}};

/// Wasserstein-1 between normals of one mean, by their quantiles.
double normal_distance(double variance, double other) {
  static const std::vector<double> z = Mixture{{1}, {{0}}, {1}}.quantiles(1000, 0);
  return std::abs(std::sqrt(variance) - std::sqrt(other)) * wasserstein(z, std::vector<double>(z.size()));
}

/// (IV.25) for dX = σ dW on one normal, x ← x − δσ² (x − a)/(v + s²) + √δ σ Z, as steps of (IV.18): there
/// (x − a)/(v + s²) = (x − D)/s².
Steps euler_maruyama_steps(double variance_rate, int count) {
  Steps steps;
  for (int k = 0; k < count; ++k) {
    const double s = std::sqrt(variance_rate * (count - k) / count), noise = variance_rate / count;
    steps.push_back({s, 1 - noise / (s * s), std::sqrt(noise)});
  }
  return steps;
}

void measure_orders(std::vector<Row>& all) {
  /// Appends a row for each number of steps, the slope of their distances written into each of them.
  const auto add = [&](const char* sampler, const char* chart, const char* problem, int evaluations_a_step,
                       std::initializer_list<int> counts, const auto& distance) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    const double n = static_cast<double>(counts.size());
    for (int steps : counts) {
      all.push_back({sampler, chart, problem, steps, steps * evaluations_a_step, distance(steps)});
      const double x = scalar::log(static_cast<double>(steps)), y = scalar::log(all.back().distance);
      sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    for (auto r = all.end() - std::ssize(counts); r != all.end(); ++r)
      r->order = -(n * sxy - sx * sy) / (n * sxx - sx * sx);
  };
  const Mixture p = Mixture::narrow();
  const double s_min = 0.002, s_max = 3;
  const std::vector<double> truth = p.quantiles(1000, s_min);
  const Var start = column(p.quantiles(1000, s_max));
  const auto levels_of = [&](int steps) {
    auto levels = edm_levels(steps + 1, s_min, s_max);
    levels.pop_back();
    return levels;
  };
  for (const NamedSolver& solver : solvers)
    add(solver.name, "either", "narrow mixture to s_min", solver.evaluations, {16, 32, 64, 128},
        [&](int steps) {
          return wasserstein(doubles(solver.run(p.denoiser(), start, levels_of(steps)).value()), truth);
        });
  const LogNormal q{0.2, 0.05};
  const double q_min = q.v + s_min * s_min;
  const auto by_moments = [&](const char* sampler, const char* chart, const char* problem, double variance,
                              const auto& steps_of) {
    add(sampler, chart, problem, 1, {125, 250, 500, 1000},
        [&](int steps) { return normal_distance(q.variance_after(steps_of(steps)), variance); });
  };
  by_moments("dale-langevin", "log", "log-normal to s_min, by moments", q_min,
             [&](int steps) { return dale_langevin_steps(levels_of(steps)); });
  by_moments("dale-langevin uniform", "log", "log-normal, by moments", q.v,
             [](int steps) { return uniform_steps(GeometricBrownianMotion(), {steps}); });
  by_moments("euler-maruyama", "identity", "normal, by moments", q.v,
             [](int steps) { return euler_maruyama_steps(0.64, steps); });
  by_moments("ancestral", "either", "normal to s_min, by moments", q_min,
             [&](int steps) { return ancestral_steps(levels_of(steps)); });
}

/// All the way to 0 on the narrow mixture and on one smooth log-normal, from the exact p_T.
void measure_samples(std::vector<Row>& all, const StudyOptions& o) {
  const Index n = o.quick ? 2000 : 50000;
  const GeometricBrownianMotion gbm;
  const Key key{o.seed};
  for (const std::string problem : {"narrow mixture", "log-normal"}) {
    const Mixture p = problem == "log-normal" ? Mixture{{1}, {{0.2}}, {std::sqrt(0.05)}} : Mixture::narrow();
    const std::vector<double> truth = p.quantiles(n, 0);
    const Var start = column(p.quantiles(n, 0.8));
    const auto add = [&](const std::string& sampler, const char* chart, Index steps, Index evaluations,
                         const Var& y, Index sign_changes = -1) {
      all.push_back({sampler, chart, problem, steps, evaluations, wasserstein(doubles(y.value()), truth), 0,
                     sign_changes});
    };
    for (const NamedSolver& solver : solvers)
      for (int steps : {5, 10, 20, 40}) {
        const Var y = solver.run(p.denoiser(), start, edm_levels(steps, 0.002, 0.8));
        add(solver.name, "either", steps, solver.evaluations == 2 ? 2 * steps - 1 : steps, y);
      }
    const Denoiser D = p.denoiser();
    const auto by = [&](const std::string& sampler, const char* chart, const Steps& steps) {
      const Index N = static_cast<Index>(steps.size());
      add(sampler, chart, N, N, take_steps(D, start, steps, key));
    };
    for (int steps : {10, 20, 50, 100, 200}) {
      const auto levels = edm_levels(steps, 0.002, 0.8);
      by("dale-langevin", "log", dale_langevin_steps(levels));
      by("ancestral", "either", ancestral_steps(levels));
      for (double eta : {0.0, 0.5}) by(fmt::format("eta {:g}", eta), "log", dale_langevin_steps(levels, eta));
    }
    for (int steps : {10, 100, 1000}) {
      by("dale-langevin uniform", "log", uniform_steps(gbm, {steps}));
      const SignedState s = unconstrained(score_of(D, gbm), start, gbm, {steps}, key);
      add("unconstrained", "log", steps, steps, s.log_x, s.sign_changes);
    }
  }
}

std::string csv(const std::vector<Row>& rows) {
  std::string out = "sampler,chart,problem,steps,evaluations,distance,order,sign_changes\n";
  for (const Row& r : rows)
    out += fmt::format("{},{},\"{}\",{},{},{:.6g},{},{}\n", r.sampler, r.chart, r.problem, r.steps,
                       r.evaluations, r.distance, r.order != 0 ? fmt::format("{:.3f}", r.order) : "",
                       r.sign_changes >= 0 ? std::to_string(r.sign_changes) : "");
  return out;
}

/// Distance against evaluations on one problem, a curve per sampler.
std::string convergence(const std::vector<Row>& rows, const std::string& problem) {
  std::vector<Series> curves;
  for (const Row& r : rows) {
    if (r.problem != problem) continue;
    auto at = std::ranges::find(curves, r.sampler, &Series::name);
    if (at == curves.end()) at = curves.insert(at, {r.sampler, {}, {}, Mark::marked_line});
    at->add(static_cast<double>(r.evaluations), r.distance);
  }
  return plot(
      {"Distance to the truth: " + problem, "network evaluations", "Wasserstein-1 in log x", true, true},
      curves);
}

/// What the table says of few evaluations against many, whichever way it came out.
std::string verdict(const std::vector<Row>& rows, const std::string& problem) {
  const auto distance = [&](std::string_view sampler, Index steps) {
    for (const Row& r : rows)
      if (r.sampler == sampler && r.problem == problem && r.steps == steps) return r.distance;
    broken("the table has no row {} on {} with {} steps", sampler, problem, steps);
  };
  return fmt::format(
      "On the {} the best solver with ten evaluations is {:.4f} from the truth, Dale–Langevin by noise level "
      "with a hundred {:.4f}, and on the paper's uniform grid with a thousand {:.4f}. ",
      problem, std::min(distance("dpm-solver", 10), distance("ddim", 10)), distance("dale-langevin", 100),
      distance("dale-langevin uniform", 1000));
}

}  // namespace

std::string study_exact(const StudyOptions& o) {
  make_folder(o.out);
  std::vector<Row> rows;
  measure_orders(rows);
  measure_samples(rows, o);
  write_file(o.out / "convergence.csv", csv(rows));
  std::string section = "<h2>Samplers on problems with exact answers</h2>\n<p>" +
                        verdict(rows, "narrow mixture") + verdict(rows, "log-normal");
  section += "Fitted orders:";
  std::string last;
  for (const Row& r : rows)
    if (r.order != 0 && r.sampler != std::exchange(last, r.sampler))
      section += fmt::format(" {} {:.2f},", r.sampler, r.order);
  section.back() = '.';
  section += "</p>\n";
  int number = 0;
  for (const char* problem : {"narrow mixture to s_min", "narrow mixture", "log-normal"})
    section += figure(o.out / fmt::format("convergence-{}.svg", ++number), convergence(rows, problem));
  return section;
}

}  // namespace dale
