// Line plots as SVG text: axes with round ticks, a legend, and colours that stay apart for colour-blind readers
// (Okabe & Ito). Text and axes take the page's colour, so a plot follows light and dark pages.
#pragma once

#include <string>
#include <vector>

namespace dale {

struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct Plot {
  std::string title, x_label, y_label;  // labels with their units
  bool log_y = false;                   // values that are not positive are left out
  int width = 640, height = 360;
};

/// One <svg> element. Values that are not finite are left out.
std::string line_plot(const Plot& plot, const std::vector<Series>& series);

/// A running mean over `window` points, and every stride-th point of it: what a noisy curve is drawn by.
Series smoothed(const Series& series, std::size_t window, std::size_t stride);

/// &, <, > and " as entities.
std::string escape_html(const std::string& text);

}  // namespace dale
