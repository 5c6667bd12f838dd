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

Tensor column(const std::vector<double>& v) {
  return Tensor({static_cast<Index>(v.size()), 1}, std::vector<real>(v.begin(), v.end()));
}

/// Writes the slope of the rows' distances into each of them.
void fit_order(std::vector<Row>& rows) {
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  const double n = static_cast<double>(rows.size());
  for (const Row& r : rows) {
    const double x = scalar::log(static_cast<double>(r.steps)), y = scalar::log(r.distance);
    sx += x, sy += y, sxx += x * x, sxy += x * y;
  }
  for (Row& r : rows) r.order = -(n * sxy - sx * sy) / (n * sxx - sx * sx);
}

void append(std::vector<Row>& all, std::vector<Row> rows) {
  fit_order(rows);
  all.insert(all.end(), rows.begin(), rows.end());
}

/// Wasserstein-1 between N(m₁, v₁) and N(m₂, v₂), by their quantiles.
double normal_distance(double m1, double v1, double m2, double v2) {
  static const std::vector<double> z = Mixture{{1}, {{0}}, {1}}.quantiles(1000, 0);
  double total = 0;
  for (double q : z) total += std::abs(m1 - m2 + (std::sqrt(v1) - std::sqrt(v2)) * q);
  return total / static_cast<double>(z.size());
}

/// (13) on one normal: y ← A y + b + s′√(1 − s′²/s²) Z, from the exact law at levels[0].
LogNormal::Moments ancestral_moments(const LogNormal& p, const std::vector<double>& levels) {
  double mean = p.a, variance = p.v + levels[0] * levels[0];
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const double s2 = levels[i] * levels[i], next2 = levels[i + 1] * levels[i + 1], ratio = next2 / s2;
    const double keep = p.v / (p.v + s2), A = ratio + (1 - ratio) * keep, b = (1 - ratio) * (1 - keep) * p.a;
    mean = A * mean + b;
    variance = A * A * variance + next2 * (1 - ratio);
  }
  return {mean, variance};
}

/// (14) for dX = σ dW on one normal: x ← x + δσ²(−(x − a)/(v + s²)) + √δ σ Z, from the exact p_T.
LogNormal::Moments euler_maruyama_moments(const LogNormal& p, double variance_rate, int steps) {
  const VarianceExploding ve({variance_rate}, 1);
  double mean = p.a, variance = p.v + variance_rate;
  for (int k = 0; k < steps; ++k) {
    const double s = ve.marginal(static_cast<double>(steps - k) / steps).s, noise = variance_rate / steps;
    const double pull = noise / (p.v + s * s);
    mean -= pull * (mean - p.a);
    variance = (1 - pull) * (1 - pull) * variance + noise;
  }
  return {mean, variance};
}

void measure_orders(std::vector<Row>& all) {
  const Mixture p = Mixture::narrow();
  const double s_min = 0.002, s_max = 3;
  const std::vector<double> truth = p.quantiles(1000, s_min);
  const Var start = column(p.quantiles(1000, s_max));
  const auto levels_of = [&](int steps) {
    auto levels = edm_levels(steps + 1, s_min, s_max);
    levels.pop_back();
    return levels;
  };
  for (const NamedSolver& solver : solvers) {
    std::vector<Row> rows;
    for (int steps : {16, 32, 64, 128})
      rows.push_back(
          {solver.name, "either", "narrow mixture to s_min", steps, steps * solver.evaluations,
           wasserstein(doubles(solver.run(p.denoiser(), start, levels_of(steps)).value()), truth)});
    append(all, rows);
  }
  const LogNormal q{0.2, 0.05};
  const GeometricBrownianMotion gbm;
  std::vector<Row> langevin, maruyama, ancestors;
  for (int steps : {125, 250, 500, 1000}) {
    const auto m = q.dale_langevin_moments(gbm, steps);
    langevin.push_back({"dale-langevin", "log", "log-normal, by moments", steps, steps,
                        normal_distance(m.mean, m.variance, q.a, q.v)});
    const auto e = euler_maruyama_moments(q, 0.64, steps);
    maruyama.push_back({"euler-maruyama", "identity", "normal, by moments", steps, steps,
                        normal_distance(e.mean, e.variance, q.a, q.v)});
    const auto levels = levels_of(steps);
    const auto a = ancestral_moments(q, levels);
    ancestors.push_back({"ancestral", "either", "normal to s_min, by moments", steps, steps,
                         normal_distance(a.mean, a.variance, q.a, q.v + s_min * s_min)});
  }
  append(all, langevin);
  append(all, maruyama);
  append(all, ancestors);
}

/// All the way to 0 on the narrow mixture and on one smooth log-normal, from the exact p_T.
void measure_samples(std::vector<Row>& all, const StudyOptions& o) {
  const Index n = o.quick ? 2000 : 50000;
  const GeometricBrownianMotion gbm;
  const Key key{o.seed};
  const Mixture problems[] = {Mixture::narrow(), Mixture{{1}, {{0.2}}, {std::sqrt(0.05)}}};
  const char* names[] = {"narrow mixture", "log-normal"};
  for (int k = 0; k < 2; ++k) {
    const Mixture& p = problems[k];
    const std::vector<double> truth = p.quantiles(n, 0);
    const Var start = column(p.quantiles(n, 0.8));
    const auto add = [&](const std::string& sampler, const char* chart, Index steps, Index evaluations,
                         const Var& y, Index sign_changes = -1) {
      all.push_back({sampler, chart, names[k], steps, evaluations, wasserstein(doubles(y.value()), truth), 0,
                     sign_changes});
    };
    for (const NamedSolver& solver : solvers)
      for (int steps : {5, 10, 20, 40}) {
        const Var y = solver.run(p.denoiser(), start, edm_levels(steps, 0.002, 0.8));
        add(solver.name, "either", steps, solver.evaluations == 2 ? 2 * steps - 1 : steps, y);
      }
    const HyvarinenScore h = score_of(p.denoiser(), gbm);
    for (int steps : {10, 100, 1000}) {
      add("dale-langevin", "log", steps, steps, dale_langevin(h, start, gbm, {steps}, key));
      const SignedState s = unconstrained(h, start, gbm, {steps}, key);
      add("unconstrained", "log", steps, steps, s.log_x, s.sign_changes);
      for (double eta : {0.0, 0.5})
        add(fmt::format("eta {:g}", eta), "log", steps, steps, eta_langevin(h, start, gbm, eta, steps, key));
      add("ancestral", "either", steps, steps,
          ancestral(p.denoiser(), start, edm_levels(steps, 0.002, 0.8), key));
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
    auto at =
        std::find_if(curves.begin(), curves.end(), [&](const Series& s) { return s.name == r.sampler; });
    if (at == curves.end()) at = curves.insert(curves.end(), {r.sampler, {}, {}, Mark::marked_line});
    at->add(static_cast<double>(r.evaluations), r.distance);
  }
  return plot(
      {"Distance to the truth: " + problem, "network evaluations", "Wasserstein-1 in log x", true, true},
      curves);
}

double distance_of(const std::vector<Row>& rows, const std::string& sampler, const std::string& problem,
                   Index steps) {
  for (const Row& r : rows)
    if (r.sampler == sampler && r.problem == problem && r.steps == steps) return r.distance;
  broken("the table has no row {} on {} with {} steps", sampler, problem, steps);
}

/// What the table says of ten evaluations against a thousand, whichever way it came out.
std::string verdict(const std::vector<Row>& rows, const std::string& problem) {
  const double few =
      std::min(distance_of(rows, "dpm-solver", problem, 10), distance_of(rows, "ddim", problem, 10));
  const double many = distance_of(rows, "dale-langevin", problem, 1000);
  return fmt::format(
      "On the {} the best solver with ten evaluations is {:.4f} from the truth and a thousand steps of "
      "Dale–Langevin {:.4f}: {}. ",
      problem, few, many, few < many ? "ten are ahead" : "the thousand are ahead");
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
