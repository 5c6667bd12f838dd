#include "experiments/figure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/check.h"

namespace dale {
namespace {

constexpr const char* colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};

/// Maps values to pixels along one axis, and knows the round values between its ends.
struct Axis {
  double low, high, from, to;  // values, and the pixels they are drawn at
  bool log;

  double at(double value) const {
    const double v = log ? std::log10(value) : value;
    return from + (v - low) / (high - low) * (to - from);
  }
  bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }

  std::vector<double> ticks() const {
    std::vector<double> all;
    if (log) {
      for (double e = std::floor(low); e <= high; ++e)
        for (double m : {1.0, 2.0, 5.0})
          if (const double v = e + std::log10(m); v >= low && v <= high) all.push_back(std::pow(10, v));
      return all;
    }
    const double rough = (high - low) / 5, unit = std::pow(10, std::floor(std::log10(rough)));
    const double step = unit * (rough / unit < 1.5 ? 1 : rough / unit < 3.5 ? 2 : rough / unit < 7.5 ? 5 : 10);
    for (double k = std::ceil(low / step); k * step <= high + step * 1e-9; ++k) all.push_back(k * step);
    return all;
  }
};

Axis fitted_axis(const std::vector<Series>& series, std::vector<double> Series::*values, bool log, double from,
                 double to) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& s : series)
    for (double v : s.*values)
      if (std::isfinite(v) && (!log || v > 0)) {
        low = std::min(low, log ? std::log10(v) : v);
        high = std::max(high, log ? std::log10(v) : v);
      }
  if (!(low <= high)) low = 0, high = 1;
  const double margin = high > low ? (high - low) * 0.03 : std::max(std::abs(low) * 0.1, 0.5);
  return {low - margin, high + margin, from, to, log};
}

std::string curve(const Series& s, const Axis& x, const Axis& y, const char* colour) {
  std::string points;
  for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i)
    if (x.shows(s.x[i]) && y.shows(s.y[i])) points += fmt::format("{:.1f},{:.1f} ", x.at(s.x[i]), y.at(s.y[i]));
  return fmt::format("<polyline fill='none' stroke='{}' stroke-width='1.8' points='{}'/>\n", colour, points);
}

}  // namespace

std::string line_plot(const Plot& plot, const std::vector<Series>& series) {
  const double left = 64, right = plot.width - 12, top = 34, bottom = plot.height - 46;
  const Axis x = fitted_axis(series, &Series::x, false, left, right);
  const Axis y = fitted_axis(series, &Series::y, plot.log_y, bottom, top);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {} {}' width='{}' height='{}' role='img' "
      "aria-label='{}' fill='currentColor' font-family='sans-serif' font-size='12'>\n<title>{}</title>\n",
      plot.width, plot.height, plot.width, plot.height, escape_html(plot.title), escape_html(plot.title));
  const auto text = [&](double px, double py, const char* anchor, const std::string& what, const char* more = "") {
    svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' {}>{}</text>\n", px, py, anchor, more, escape_html(what));
  };
  const auto line = [&](double x1, double y1, double x2, double y2, double opacity) {
    svg += fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='currentColor' opacity='{}'/>\n", x1, y1,
                       x2, y2, opacity);
  };

  // Draw the frame: ticks, grid, labels.
  text((left + right) / 2, 16, "middle", plot.title, "font-size='14'");
  text((left + right) / 2, plot.height - 8, "middle", plot.x_label);
  text(0, 0, "middle", plot.y_label, fmt::format("transform='translate(14,{}) rotate(-90)'", (top + bottom) / 2).c_str());
  for (double v : x.ticks()) {
    line(x.at(v), bottom, x.at(v), bottom + 4, 1);
    text(x.at(v), bottom + 18, "middle", fmt::format("{:g}", v));
  }
  for (double v : y.ticks()) {
    line(left, y.at(v), right, y.at(v), 0.15);
    text(left - 6, y.at(v) + 4, "end", fmt::format("{:.4g}", v));
  }
  line(left, bottom, right, bottom, 1);
  line(left, top, left, bottom, 1);

  // Draw the curves and the legend.
  for (std::size_t i = 0; i < series.size(); ++i) {
    const char* colour = colours[i % std::size(colours)];
    svg += curve(series[i], x, y, colour);
    const double at = top + 8 + 17 * static_cast<double>(i);
    svg += fmt::format("<line x1='{0}' y1='{1}' x2='{2}' y2='{1}' stroke='{3}' stroke-width='3'/>\n", right - 150, at,
                       right - 126, colour);
    text(right - 120, at + 4, "start", series[i].name);
  }
  return svg + "</svg>\n";
}

Series smoothed(const Series& s, std::size_t window, std::size_t stride) {
  Series out{s.name, {}, {}};
  double sum = 0;
  for (std::size_t i = 0; i < s.y.size(); ++i) {
    sum += s.y[i] - (i >= window ? s.y[i - window] : 0);
    if ((i + 1) % stride != 0 && i + 1 != s.y.size()) continue;
    out.x.push_back(s.x[i]);
    out.y.push_back(sum / static_cast<double>(std::min(i + 1, window)));
  }
  return out;
}

std::string escape_html(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace dale
