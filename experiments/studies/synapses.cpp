// Synapses: what does learning by multiplication do to a network's weights? One classifier of real images,
// one start, the same batches, four ways of following the gradient (nn/optim.h). Dale's law is that a
// neuron's synapses keep their sign, and measured brains have nearly log-normal synaptic strengths (Buzsáki &
// Mizuseki 2014): so the study counts the signs that changed, and asks whether |w| is nearer to a normal
// distribution or to a log-normal one, that is, log |w| to a normal one.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "experiments/data/dataset.h"
#include "experiments/run/fit.h"
#include "experiments/studies/study.h"
#include "nn/layers.h"
#include "nn/optim.h"

namespace dale {
namespace {

// Streams of the study's key.
enum : std::uint64_t { weights_stream, order_stream };

constexpr Index hidden_units = 128, batch = 128;
constexpr double most_norm = 1;                     // of the gradient
constexpr double low_log10 = -5, high_log10 = 0.5;  // of |w|, in the histograms

/// A way of following the gradient, and what it left. |w| is of the first layer: later ones start on another
/// scale.
struct Outcome {
  std::string name, rates;
  double rate;
  bool keeps_signs;
  std::vector<double> accuracy{};     // on the test images after 0, 1, … epochs
  std::vector<Index> sign_changes{};  // likewise, among the weights of all layers
  std::vector<double> log10s{};       // log₁₀ |w|
  NormalFit normal{}, log_normal{};   // fitted to |w|, and to log₁₀ |w|
};

/// Images as rows (N,784).
Tensor flat(const Tensor& images) { return images.reshape({images.dim(0), -1}); }

double accuracy(const Mlp& network, const Dataset& test) {
  const NoGrad off;
  return share_right(test, argmax(network(flat(test.images)), 1).to_vector());
}

/// Weights, biases excepted, whose sign is not as it was.
Index sign_changes(const Mlp& now, const Mlp& before) {
  Index changed = 0;
  for (std::size_t i = 0; i < now.layers.size(); ++i) {
    const auto v = now.layers[i].weight.value().to_vector(), w = before.layers[i].weight.value().to_vector();
    for (std::size_t k = 0; k < v.size(); ++k) changed += std::signbit(v[k]) != std::signbit(w[k]);
  }
  return changed;
}

/// Trains with the optimiser that start(parameters) gives, and a learning rate that falls linearly to 0.
template <class Start>
Outcome run(Outcome o, const Start& start_optimizer, const Dataset& train, const Dataset& test, Index epochs,
            Key key) {
  const Key start = key.split(weights_stream), orders = key.split(order_stream);
  const Tensor inputs = flat(train.images);
  const std::vector<Index> widths{inputs.dim(1), hidden_units, 10};
  Mlp network(widths, start);
  const Mlp before(widths, start);
  const auto all = parameters(network);
  auto optimizer = start_optimizer(all);
  const Index images = inputs.dim(0), batches = (images + batch - 1) / batch, total = epochs * batches;
  Progress bar("synapses, " + o.name, total, "images", batch);
  o.accuracy = {accuracy(network, test)};
  o.sign_changes = {0};
  std::vector<std::int32_t> order;
  const auto gradients = [&](Index k) {
    const Index epoch = k / batches, begin = k % batches * batch, end = std::min(begin + batch, images);
    if (begin == 0) order = permutation(orders.split(static_cast<std::uint64_t>(epoch)), images);
    const IntTensor picked({end - begin}, {order.begin() + begin, order.begin() + end});
    std::vector<std::int32_t> labels;
    for (std::int32_t i : picked.to_vector()) labels.push_back(train.labels.data()[i]);
    const Var x = raw::gather(inputs, picked);
    return gradients_of(cross_entropy(network(x), IntTensor({end - begin}, labels)), all);
  };
  fit(optimizer, {total, o.rate}, most_norm, bar, gradients, [&](Index done, const Gradients&) {
    if (done % batches != 0) return;
    o.accuracy.push_back(accuracy(network, test));
    o.sign_changes.push_back(sign_changes(network, before));
  });
  if (o.keeps_signs && o.sign_changes.back() > 0)
    broken("{}: {} weights changed sign", o.name, o.sign_changes.back());
  std::vector<double> magnitudes;
  for (double w : doubles(network.layers[0].weight.value())) {
    if (w == 0) continue;
    magnitudes.push_back(std::abs(w));
    o.log10s.push_back(std::log10(magnitudes.back()));
  }
  o.normal = fit_normal(magnitudes);
  o.log_normal = fit_normal(o.log10s);
  return o;
}

std::string accuracy_figure(const std::vector<Outcome>& outcomes) {
  std::vector<Series> series;
  for (const Outcome& o : outcomes) {
    if (o.accuracy.size() == 1) continue;  // the start
    series.push_back({o.name, {}, {}, Mark::marked_line});
    for (std::size_t epoch = 1; epoch < o.accuracy.size(); ++epoch)
      series.back().add(static_cast<double>(epoch), 100 * o.accuracy[epoch]);
  }
  return plot({"Accuracy on images not trained on", "epoch", "right answers, %"}, series);
}

/// The density of l = log₁₀ |w|: measured; of the fitted log-normal, normal in l; of the fitted normal, whose
/// density in l is p(w) w ln 10.
std::string weights_figure(const Outcome& r) {
  const auto line = [](const char* law, const NormalFit& fit, const auto& density) {
    return line_of(fmt::format("{}, KS {:.3f}", law, fit.distance), low_log10, high_log10, 0.02, density);
  };
  const auto of_normal = [&](double l) {
    return r.normal.density(std::pow(10, l)) * std::pow(10, l) * std::numbers::ln10;
  };
  const auto of_log_normal = [&](double l) { return r.log_normal.density(l); };
  return plot({"Weights of the first layer: " + r.name, "log₁₀ |w|", "density"},
              {histogram("measured", r.log10s, low_log10, high_log10, 66),
               line("normal", r.normal, of_normal), line("log-normal", r.log_normal, of_log_normal)});
}

void write_numbers(const std::filesystem::path& out, const std::vector<Outcome>& outcomes) {
  std::string curves = "optimiser,epoch,accuracy,sign_changes\n";
  std::string weights =
      "optimiser,weights,mean,deviation,log10_mean,log10_deviation,ks_normal,ks_log_normal\n";
  for (const Outcome& r : outcomes) {
    for (std::size_t e = 0; e < r.accuracy.size(); ++e)
      curves += fmt::format("{},{},{:.4f},{}\n", r.name, e, r.accuracy[e], r.sign_changes[e]);
    weights += fmt::format("{},{},{:.6g},{:.6g},{:.4f},{:.4f},{:.4f},{:.4f}\n", r.name, r.log10s.size(),
                           r.normal.mean, r.normal.deviation, r.log_normal.mean, r.log_normal.deviation,
                           r.normal.distance, r.log_normal.distance);
  }
  write_file(out / "synapses.csv", curves);
  write_file(out / "synapses_weights.csv", weights);
}

std::string table(const std::vector<Outcome>& outcomes) {
  std::vector<std::vector<std::string>> rows;
  for (const Outcome& r : outcomes)
    rows.push_back({r.name, r.rates, fmt::format("{:.1f} %", 100 * r.accuracy.back()),
                    std::to_string(r.sign_changes.back()), fmt::format("{:.2f}", r.log_normal.mean),
                    fmt::format("{:.2f}", r.log_normal.deviation), fmt::format("{:.3f}", r.normal.distance),
                    fmt::format("{:.3f}", r.log_normal.distance)});
  return html_table({"optimiser", "learning rate", "accuracy", "signs changed", "mean of log₁₀ |w|",
                     "its deviation", "KS to normal", "KS to log-normal"},
                    rows, 2);
}

}  // namespace

double NormalFit::density(double value) const {
  const double z = (value - mean) / deviation;
  return std::exp(-z * z / 2) / (deviation * std::sqrt(2 * std::numbers::pi));
}

NormalFit fit_normal(std::vector<double> values) {
  for (double v : values)  // before they are sorted, which a NaN would not survive
    if (!std::isfinite(v)) invalid("[fit_normal] a value is {}; expected finite ones", v);
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  NormalFit fit{0, 0, 0};
  for (double v : values) fit.mean += v / n;
  for (double v : values) fit.deviation += (v - fit.mean) * (v - fit.mean) / n;
  fit.deviation = std::sqrt(fit.deviation);
  if (!(fit.deviation > 0))
    invalid("[fit_normal] {} values of standard deviation {} fit no normal distribution", n, fit.deviation);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double below = static_cast<double>(i) / n;
    const double p = std::erfc((fit.mean - values[i]) / (fit.deviation * std::numbers::sqrt2)) / 2;
    fit.distance = std::max({fit.distance, p - below, below + 1 / n - p});
  }
  return fit;
}

std::string study_synapses(const StudyOptions& o) {
  const bool mnist = !find_dataset("fashion-mnist", o.data) && find_dataset("mnist", o.data);
  const std::string name = mnist ? "mnist" : "fashion-mnist";
  const Dataset train = load_dataset(name, o.data, Split::train),
                test = load_dataset(name, o.data, Split::test);
  make_folder(o.out);
  const Index epochs = o.quick ? 1 : 20;
  std::vector<Outcome> outcomes;
  const auto learn = [&](const Outcome& method, Index passes, const auto& start) {
    outcomes.push_back(run(method, start, train, test, passes, Key{o.seed}));
  };
  // Each with round rates that serve it well; twice or half as much changes its accuracy by less than a
  // percent, except that exponentiated gradient at 20 loses four.
  const auto descent = [](const auto& all) { return GradientDescent(all); };
  learn({"start", "", 0, true}, 0, descent);
  learn({"gradient descent", "0.5", 0.5, false}, epochs, descent);
  learn({"Adam", "0.002", 0.002, false}, epochs, [](const auto& all) { return Adam(all); });
  learn({"Muon", "0.002 (matrices: 0.01)", 0.002, false}, epochs, [](const auto& all) { return Muon(all); });
  learn({"exponentiated gradient", "10 (biases, by ordinary steps: 0.5)", 10, true}, epochs,
        [](const auto& all) { return ExponentiatedGradient(all, {.ordinary_rate = 0.05}); });

  std::string html = fmt::format(
      "<h2>Synapses</h2>\n<p>A network of 784, {} and 10 units learns {} for {} epochs in batches of {}, "
      "four times from the same start; the learning rate falls to 0, and gradients longer than {} are cut "
      "to that. Exponentiated gradient moves log |w| where the others move w, and so can change no sign. "
      "Signs are counted in both layers; |w| is of the first, with a normal and a log-normal distribution "
      "fitted. KS is the Kolmogorov–Smirnov distance to a distribution fitted to the very same weights: a "
      "distance, not a test.</p>\n",
      hidden_units, name, epochs, batch, most_norm);
  write_numbers(o.out, outcomes);
  html += table(outcomes) + figure(o.out / "synapses_accuracy.svg", accuracy_figure(outcomes));
  for (const Outcome& r : outcomes) {
    std::string file = r.name;
    for (char& c : file) c = c == ' ' ? '-' : static_cast<char>(std::tolower(c));
    html += figure(o.out / fmt::format("synapses_weights_{}.svg", file), weights_figure(r));
  }
  return html;
}

}  // namespace dale
