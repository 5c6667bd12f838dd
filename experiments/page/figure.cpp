#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/page/page.h"

namespace dale {
namespace {

/// How series i is drawn: six colours, then the same six dashed; a shape of dot each. A page may set lighter
/// colours for dark backgrounds as --pen0 … --pen5.
struct Pen {
  std::size_t number;

  std::string colour() const {
    static constexpr const char* colours[] = {"#0072B2", "#D55E00", "#009E73",
                                              "#CC79A7", "#E69F00", "#56B4E9"};
    const std::size_t i = number % std::size(colours);
    return fmt::format("var(--pen{},{})", i, colours[i]);
  }
  const char* dash() const { return number < 6 ? "none" : "6 4"; }
  /// A circle, square, triangle or diamond about (x, y).
  std::string dot(double x, double y) const {
    static constexpr const char* shapes[] = {"m-3.2,0a3.2,3.2 0 1 0 6.4,0a3.2,3.2 0 1 0 -6.4,0",
                                             "m-3.2,-3.2h6.4v6.4h-6.4", "m0,-4.2l3.8,7.4h-7.6",
                                             "m0,-4.5l4.5,4.5l-4.5,4.5l-4.5,-4.5"};
    return fmt::format("<path style='fill:{}' d='M{:.1f},{:.1f}{}z'/>\n", colour(), x, y, shapes[number % 4]);
  }
};
constexpr std::size_t most_labels = 8;

/// The round values between two numbers, four to eight of them.
std::vector<double> round_values(double low, double high) {
  const double rough = (high - low) / 5, unit = std::pow(10, std::floor(std::log10(rough)));
  const double step = unit * (rough / unit < 1.5 ? 1 : rough / unit < 3.5 ? 2 : rough / unit < 7.5 ? 5 : 10);
  std::vector<double> all;
  for (double k = std::ceil(low / step); k * step <= high + step * 1e-9; ++k) all.push_back(k * step + 0.0);
  return all;
}

/// Maps values to pixels along one axis, and knows the round values between its ends.
struct Axis {
  double low, high, from, to;  // values (or their logarithms), and the pixels they are drawn at
  bool log;

  double scaled(double value) const { return log ? std::log10(value) : value; }
  double at(double value) const { return from + (scaled(value) - low) / (high - low) * (to - from); }
  bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }

  /// m 10^e for the given m and every stride-th e.
  std::vector<double> decades(std::initializer_list<double> mantissas, int stride = 1) const {
    std::vector<double> all;
    for (double e = std::floor(low / stride) * stride; e <= high; e += stride)
      for (double m : mantissas)
        if (const double v = e + std::log10(m); v >= low && v <= high) all.push_back(m * std::pow(10, e));
    return all;
  }
  /// Where numbers stand. Within a decade there may be none of 1, 2, 5: then they are spaced evenly.
  std::vector<double> labels() const {
    if (!log) return round_values(low, high);
    std::vector<double> all = decades({1, 2, 5});
    if (all.size() < 3) return round_values(std::pow(10, low), std::pow(10, high));
    for (int stride = 1; all.size() > most_labels; ++stride) all = decades({1}, stride);
    return all;
  }
  std::vector<double> minor_ticks() const {
    return log && high - low <= most_labels ? decades({2, 3, 4, 5, 6, 7, 8, 9}) : std::vector<double>{};
  }
};

/// Bars as the line round them: for each bin two corners on 0 and two at its height.
Series outlined(const Series& s) {
  if (s.mark != Mark::bars) return s;
  Series out{s.name, {}, {}, s.mark};
  const double half = s.x.size() < 2 ? 0.5 : (s.x[1] - s.x[0]) / 2;
  for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i)
    for (int corner = 0; corner < 4; ++corner)
      out.add(s.x[i] + (corner < 2 ? -half : half), corner == 0 || corner == 3 ? 0 : s.y[i]);
  return out;
}

Axis fitted_axis(const std::vector<Series>& series, std::vector<double> Series::*values, bool log,
                 double from, double to) {
  constexpr double none = std::numeric_limits<double>::infinity();
  Axis axis{none, -none, from, to, log};
  for (const Series& s : series)
    for (double v : s.*values)
      if (axis.shows(v)) {
        axis.low = std::min(axis.low, axis.scaled(v));
        axis.high = std::max(axis.high, axis.scaled(v));
      }
  if (!(axis.low <= axis.high)) axis.low = 0, axis.high = 1;
  const double range = axis.high - axis.low;
  const double margin = range > 0 ? range * 0.03 : std::max(std::abs(axis.low) * 0.1, 0.5);
  if (log || axis.low != 0 || range == 0) axis.low -= margin;  // what begins at 0 does so in the figure
  axis.high += margin;
  return axis;
}

std::string drawn(const Series& s, const Axis& x, const Axis& y, const Pen& pen) {
  std::string svg, points;
  const bool bars = s.mark == Mark::bars, line = s.mark != Mark::points;
  const bool dots = s.mark == Mark::points || s.mark == Mark::marked_line;
  const auto end_line = [&] {
    if (line && !points.empty())
      svg += fmt::format(
          "<polyline style='stroke:{};fill:{}' fill-opacity='0.3' stroke-dasharray='{}' stroke-width='{}' "
          "points='{}'/>\n",
          pen.colour(), bars ? pen.colour() : "none", pen.dash(), bars ? 0.8 : 1.8, points);
    points.clear();
  };
  for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
    if (!x.shows(s.x[i]) || !(bars || y.shows(s.y[i]))) {
      end_line();
      continue;
    }
    const double px = x.at(s.x[i]), py = y.shows(s.y[i]) ? y.at(s.y[i]) : y.from;
    points += fmt::format("{:.1f},{:.1f} ", px, py);
    if (dots) svg += pen.dot(px, py);
    if (i < s.error.size() && s.error[i] > 0) {
      const double low = s.y[i] - s.error[i], from = y.shows(low) ? std::min(y.from, y.at(low)) : y.from;
      svg += fmt::format(
          "<path style='stroke:{0};fill:none' d='M{1:.1f},{2:.1f}h8M{3:.1f},{2:.1f}V{4:.1f}m-4,0h8'/>\n",
          pen.colour(), px - 4, from, px, y.at(s.y[i] + s.error[i]));
    }
  }
  end_line();
  return svg;
}

/// What a plot is drawn of.
struct Canvas : Drawing {
  void line(double x1, double y1, double x2, double y2, double opacity = 1) {
    svg += fmt::format(
        "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='currentColor' opacity='{}'/>\n", x1,
        y1, x2, y2, opacity);
  }
  void axes(const Axis& x, const Axis& y) {
    for (double v : x.labels()) {
      line(x.at(v), y.from, x.at(v), y.from + 5);
      text(x.at(v), y.from + 18, "middle", fmt::format("{:g}", v));
    }
    for (double v : y.labels()) {
      line(x.from, y.at(v), x.to, y.at(v), 0.15);
      text(x.from - 7, y.at(v) + 4, "end", fmt::format("{:g}", v));
    }
    for (double v : x.minor_ticks()) line(x.at(v), y.from, x.at(v), y.from + 3);
    for (double v : y.minor_ticks()) line(x.from - 3, y.at(v), x.from, y.at(v));
    line(x.from, y.from, x.to, y.from);
    line(x.from, y.from, x.from, y.to);
  }
  /// The names of the series below `bottom`, row after row, from left to right; where the last row ends.
  int legend(const std::vector<Series>& series, double left, double right, int bottom) {
    double x = left, y = bottom + 10;
    int end = bottom;
    for (std::size_t i = 0; i < series.size(); ++i) {
      const Series& s = series[i];
      const Pen pen{i};
      if (s.name.empty()) continue;
      const double width = 46 + 7.2 * static_cast<double>(s.name.size());
      if (x > left && x + width > right) x = left, y += 20;
      if (s.mark != Mark::points)
        svg += fmt::format(
            "<line x1='{}' y1='{}' x2='{}' y2='{}' style='stroke:{}' stroke-dasharray='{}' "
            "stroke-width='{}'/>\n",
            x, y, x + 24, y, pen.colour(), pen.dash(), s.mark == Mark::bars ? 8 : 3);
      if (s.mark == Mark::points || s.mark == Mark::marked_line) svg += pen.dot(x + 12, y);
      text(x + 30, y + 4, "start", s.name);
      x += width;
      end = static_cast<int>(y) + 10;
    }
    return end;
  }
};

}  // namespace

std::string plot(const Plot& frame, const std::vector<Series>& given) {
  std::vector<Series> series;
  for (const Series& s : given) series.push_back(outlined(s));
  const double left = 68, right = frame.width - 14, top = 34, bottom = frame.height - 46;
  const Axis x = fitted_axis(series, &Series::x, frame.log_x, left, right);
  const Axis y = fitted_axis(series, &Series::y, frame.log_y, bottom, top);
  Canvas canvas;
  canvas.text((left + right) / 2, 16, "middle", frame.title, "font-size='15'");
  canvas.text((left + right) / 2, frame.height - 8, "middle", frame.x_label);
  canvas.text(0, 0, "middle", frame.y_label,
              fmt::format("transform='translate(14,{}) rotate(-90)'", (top + bottom) / 2));
  canvas.axes(x, y);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const int pen = series[i].pen;
    canvas.svg += drawn(series[i], x, y, Pen{pen < 0 ? i : static_cast<std::size_t>(pen)});
  }
  const int height = canvas.legend(series, left, right, frame.height);
  return canvas.whole(frame.width, height, frame.title, " font-family='sans-serif' font-size='13'");
}

std::string standalone(std::string svg) {
  return svg.insert(svg.rfind("</svg>"),
                    fmt::format("<style>svg {{ color: #1b1b1b; background: #fff; }}\n"
                                "@media (prefers-color-scheme: dark) {{\n  svg {{ color: #e6e6e6; "
                                "background: #16181c; {} }}\n}}</style>\n",
                                dark_pens));
}

Series histogram(const std::string& name, const std::vector<double>& values, double low, double high,
                 int bins) {
  if (!(low < high) || bins < 1)
    invalid("[histogram] {} bins on [{}, {}]: expected low < high and a bin", bins, low, high);
  Series out{name, {}, std::vector<double>(static_cast<std::size_t>(bins)), Mark::bars};
  const double width = (high - low) / bins;
  for (int b = 0; b < bins; ++b) out.x.push_back(low + (b + 0.5) * width);
  for (double v : values)
    if (v >= low && v <= high)
      out.y[static_cast<std::size_t>(std::min((v - low) / width, bins - 1.0))] +=
          1 / (static_cast<double>(values.size()) * width);
  return out;
}

Series smoothed(const Series& s, std::size_t windows, std::size_t points) {
  const std::size_t n = s.y.size(), window = std::max<std::size_t>(1, n / windows),
                    stride = std::max<std::size_t>(1, n / points);
  Series out{s.name, {}, {}};
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += s.y[i] - (i >= window ? s.y[i - window] : 0);
    if ((i + 1) % stride != 0 && i + 1 != n) continue;
    out.add(s.x[i], sum / static_cast<double>(std::min(i + 1, window)));
  }
  return out;
}

void Drawing::text(double x, double y, const char* anchor, const std::string& what, const std::string& more) {
  svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' {}>{}</text>\n", x, y, anchor, more,
                     escape_html(what));
}

std::string Drawing::whole(int width, int height, const std::string& title, const std::string& more) const {
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}' role='img' "
      "aria-label='{2}' fill='currentColor'{4}>\n<title>{2}</title>\n{3}</svg>\n",
      width, height, escape_html(title), svg, more);
}

std::string escape_html(const std::string& text) {
  static const std::string special = "&<>\"'";
  static constexpr const char* entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  std::string out;
  for (char c : text) {
    const std::size_t at = special.find(c);
    out += at == special.npos ? std::string(1, c) : entities[at];
  }
  return out;
}

}  // namespace dale
