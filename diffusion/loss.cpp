#include "diffusion/loss.h"

namespace dale {

std::vector<Tensor> denoising_draws(const Edm& edm, const Tensor& y0, Key key, const LevelDistribution& law,
                                    std::uint64_t first) {
  const Index N = y0.dim(0);
  const std::uint64_t pixels = N ? static_cast<std::uint64_t>(y0.size() / N) : 0;
  const std::vector<real> xi = normal(key.split(0), {N}, first).to_vector();
  std::vector<real> s, c_in, c_noise, skip, out;
  for (real v : xi) {
    const double level = law.level(edm, static_cast<double>(v));
    s.push_back(static_cast<real>(level));
    c_in.push_back(static_cast<real>(edm.c_in(level)));
    c_noise.push_back(static_cast<real>(edm.c_noise(level)));
    skip.push_back(static_cast<real>(edm.c_skip(level)));
    out.push_back(static_cast<real>(1 / edm.c_out(level)));
  }
  const auto column = [&](const std::vector<real>& v) { return Var(Tensor({N, 1, 1, 1}, v, y0.device())); };

  const Var z = normal(key.split(1), y0.shape(), first * pixels, y0.device());
  const Var centred = Var(y0) - edm.mean;
  const Var y_t = centred + column(s) * z;
  const Var target = (centred - column(skip) * y_t) * column(out);
  return {(column(c_in) * y_t).value(), Tensor({N}, c_noise, y0.device()), target.value()};
}

Var denoising_loss(const Network& network, const std::vector<Tensor>& draws) {
  return mean_squared_error(network(draws[0], draws[1]), draws[2]);
}

std::vector<Tensor> score_matching_draws(const ScoreModel& model, Weight weight, const Tensor& y0,
                                         const std::vector<double>& t, const Var& z) {
  if (y0.rank() < 1 || y0.dim(0) != static_cast<Index>(t.size()) || !(y0.shape() == z.shape()))
    invalid("[score_matching_loss] y0 {}, z {} and the {} times must belong to the same images",
            str(y0.shape()), str(z.shape()), t.size());
  const Tensor schedule = model.schedule(t, y0.device());
  const auto column = [&](ScoreModel::Quantity k) { return ScoreModel::column(schedule, k, y0.rank()); };
  std::vector<real> root;  // root² = w
  for (double time : t) {
    const Marginal law = model.process->marginal(time);
    const double s2 = law.s * law.s;
    root.push_back(static_cast<real>(weight == Weight::noise   ? law.s
                                     : weight == Weight::paper ? s2
                                                               : s2 / model.edm.c_out(law.level())));
  }
  const Var y =
      column(ScoreModel::law_a) * Var(y0) + column(ScoreModel::law_m) + column(ScoreModel::law_s) * z;
  return {y.value(), z.value(), Tensor(shape_along(0, y0.dim(0), y0.rank()), root, y0.device()), schedule};
}

Var score_matching_loss(const ScoreModel& model, const std::vector<Tensor>& draws) {
  const Var y = draws[0], z = draws[1], root = draws[2];
  const Var s = ScoreModel::column(draws[3], ScoreModel::law_s, y.rank());
  return 0.5 * mean(square(root * (model.score(y, draws[3]) + z / s)));
}

Var explicit_score_loss(const Var& h_model, const Var& h) {
  return 0.5 * sum(square(h_model - h)) / static_cast<real>(h.dim(0));
}

Var nonnegative_score_loss(const Field& H, const Var& y, Trace trace, Key key) {
  const FieldAndDivergence f = divergence(H, y, trace, key, true);
  return (sum(f.value + 0.5 * square(f.value)) + sum(f.divergence)) / static_cast<real>(y.dim(0));
}

}  // namespace dale
