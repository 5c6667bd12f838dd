// Pages: self-contained HTML, readable on a phone, in print, by light and in the dark. A page may load
// nothing, which its content security policy says to the browser.
//
// In them plots as SVG text: axes with round ticks, a legend below the frame, and colours that stay apart for
// colour-blind readers (Okabe & Ito), dots of different shapes beside them. Text and axes take the page's
// colour, so a plot follows light and dark pages.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

/// A whole page around `body`, with the style that the sections expect.
std::string page(const std::string& title, const std::string& body);

/// An <img> that carries its own PNG: image (1,H,W) in [0,1], with a size and a text alternative.
std::string picture(const Tensor& image, const std::string& alternative);

/// A <figure> of what is given (a picture, a plot) with its caption, plain text.
std::string captioned(const std::string& content, const std::string& caption);

/// A table of plain text; on narrow screens each row becomes a list of "head: cell". The first `names`
/// columns are names, the others numbers. REQUIRES as many cells in each row as heads.
std::string html_table(const std::vector<std::string>& heads,
                       const std::vector<std::vector<std::string>>& rows, int names = 1);

// ---- Plots (figure.cpp)

/// How a series is drawn: a line; points; a line through points; or bars (a histogram), which stand on 0 and
/// whose x are the centres of bins of one width.
enum class Mark { line, points, marked_line, bars };

struct Series {
  std::string name;  // "" is not in the legend
  std::vector<double> x, y;
  Mark mark = Mark::line;
  std::vector<double> error{};  // a bar of this length above and below y, where there is one
  int pen = -1;                 // drawn as this series of the plot is, rather than as its own number says

  void add(double at, double value) {
    x.push_back(at);
    y.push_back(value);
  }
};

struct Plot {
  std::string title, x_label, y_label;  // labels with their units
  bool log_y = false, log_x = false;    // values that are not positive are left out
  int width = 560, height = 340;        // the legend comes below
};

/// One <svg> element. Values that are not finite are left out, and break a line in two.
std::string plot(const Plot& frame, const std::vector<Series>& series);

/// The pens of dark pages, as style.
inline constexpr const char* dark_pens =
    "--pen0: #4aa8e0; --pen1: #f08a3c; --pen2: #2fc79a; --pen3: #e5a3c8; --pen4: #f2bd42; --pen5: #8fd0f5;";
/// An <svg> that is in a page, as a file of its own: an <img> of it has no style of the page's, so it brings
/// its background and colours, light or dark as the reader asks.
std::string standalone(std::string svg);

/// Bars of the density of `values` on [low, high]: counts of `bins` bins over (number of values × bin width).
/// Values outside count as values, so the bars then cover less than 1. Throws std::invalid_argument unless
/// low < high and bins ≥ 1.
Series histogram(const std::string& name, const std::vector<double>& values, double low, double high,
                 int bins);

/// The line of f on [low, high], asked every `step`.
template <class F> Series line_of(const std::string& name, double low, double high, double step, const F& f) {
  Series out{name, {}, {}};
  for (double x = low; x <= high; x += step) out.add(x, f(x));
  return out;
}

/// A running mean over a `windows`-th of the points, of which some `points` are kept: what a noisy curve is
/// drawn by.
Series smoothed(const Series& series, std::size_t windows, std::size_t points);

/// What an <svg> holds, in the page's colour unless `more`, what else an element says, has another.
struct Drawing {
  std::string svg{};

  void text(double x, double y, const char* anchor, const std::string& what, const std::string& more = "");
  std::string whole(int width, int height, const std::string& title, const std::string& more = "") const;
};

/// &, <, > and " as entities.
std::string escape_html(const std::string& text);

}  // namespace dale
