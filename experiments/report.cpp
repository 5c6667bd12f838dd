// report.html: one page that needs nothing else, pictures included.
#include "experiments/compare.h"
#include "experiments/figure.h"
#include "experiments/report.h"
#include "tensor/cpu/parallel.h"
#include "tensor/image.h"

namespace dale {
namespace {

constexpr const char* style = R"(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 0; } figcaption { font-size: .85rem; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 1.5rem; }
img, svg { max-width: 100%; height: auto; } img { image-rendering: pixelated; background: #fff; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid #8886; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2), th:nth-child(3), td:nth-child(3) { text-align: left; }
)";

std::string base64(const std::string& bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

/// The processes' pictures side by side, those of the sampler they share first.
std::string grids(const std::vector<const CompareRow*>& rows) {
  std::string out = "<div class='side'>\n";
  const auto show = [&](const CompareRow* row, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, row->samples.size()); ++i) {
      const auto& s = row->samples[i];
      const std::string what = fmt::format("{} · {}, {} steps, {} network evaluations, {:.1f} s for {} images", row->process,
                                           s.options.sampler, s.options.steps, s.result.evaluations, s.result.seconds,
                                           s.result.images.dim(0));
      out += fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                         picture(image_grid(s.result.images, 8, 2, 2), "Grid of generated images: " + what), escape_html(what));
    }
  };
  for (const CompareRow* row : rows) show(row, 0, 1);
  for (const CompareRow* row : rows) show(row, 1, row->samples.size());
  return out + "</div>\n";
}

std::string training_curves(const std::vector<const CompareRow*>& rows) {
  std::vector<Series> series;
  for (const CompareRow* row : rows) {
    Series s{row->process, {}, row->training.loss};
    for (std::size_t i = 0; i < s.y.size(); ++i) s.x.push_back(static_cast<double>(i + 1));
    series.push_back(smoothed(s, std::max<std::size_t>(1, s.y.size() / 30), std::max<std::size_t>(1, s.y.size() / 300)));
  }
  return plot({"Training loss, running mean", "step", "loss (unit scale at every noise level)", true}, series);
}

std::string table(const std::vector<CompareRow>& rows) {
  std::string out =
      "<div class='wide'><table><tr><th>data</th><th>process</th><th>sampler</th><th>steps</th><th>evaluations</th>"
      "<th>training, s</th><th>training, images/s</th><th>last loss</th><th>sampling, s</th></tr>\n";
  for (const CompareRow& row : rows) {
    const auto& loss = row.training.loss;
    const std::size_t tail = std::max<std::size_t>(1, loss.size() / 10);
    double mean = 0;
    for (std::size_t i = loss.size() - tail; i < loss.size(); ++i) mean += loss[i] / static_cast<double>(tail);
    for (const auto& s : row.samples)
      out += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f}</td><td>{:.0f}</td><td>{:.4f}</td>"
          "<td>{:.1f}</td></tr>\n",
          row.dataset, row.process, s.options.sampler, s.options.steps, s.result.evaluations, row.training.seconds,
          row.training.images_per_second, mean, s.result.seconds);
  }
  return out + "</table></div>\n<p>“Last loss” is the mean over the last tenth of the steps.</p>\n";
}

}  // namespace

std::string picture(const Tensor& image, const std::string& alternative) {
  return fmt::format("<img width='{}' height='{}' alt='{}' src='data:image/png;base64,{}'>", image.dim(2), image.dim(1),
                     escape_html(alternative), base64(png_bytes(image)));
}

std::string page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
      "<title>dale: {0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n{2}</body></html>\n",
      escape_html(title), style, body);
}

std::string report_html(const CompareOptions& o, const std::vector<CompareRow>& rows,
                        const std::vector<std::string>& missing) {
  std::string html =
      "<p>The same network, loss, budget and seed, trained twice on each data set; only the chart differs: <b>gbm</b> "
      "multiplies each pixel by noise (geometric Brownian motion, the chart is the logarithm), <b>ve</b> adds noise "
      "(variance exploding, the chart is the identity). Every grid starts from the same random numbers.</p>\n";
  std::vector<std::string> seen;
  for (const CompareRow& first : rows) {
    if (std::find(seen.begin(), seen.end(), first.dataset) != seen.end()) continue;
    seen.push_back(first.dataset);
    std::vector<const CompareRow*> same;
    for (const CompareRow& row : rows)
      if (row.dataset == first.dataset) same.push_back(&row);
    const std::string& note = first.training.note;
    html += fmt::format("<h2>{}</h2>\n{}{}{}", escape_html(first.dataset),
                        note.empty() ? "" : "<p>" + escape_html(note) + "</p>\n", grids(same), training_curves(same));
  }
  html += "<h2>Figures</h2>\n" + table(rows);
  for (const std::string& name : missing) html += fmt::format("<p>Not compared: {}, which was not found.</p>\n", name);
  html += fmt::format(
      "<h2>How this was made</h2>\n<p><code>dale compare --profile {} --seed {}</code>, dale {}, {} threads on {}. Each "
      "folder beside this page holds config.json, metrics.csv, model.safetensors and, for each sampler, samples.npy, "
      "grid.png and sample.json.</p>\n",
      o.profile, o.seed, version, threads(), str(o.device));
  return page("Multiplying against adding", html);
}

}  // namespace dale
