// Two figures that are drawn of boxes and arrows: the graph of chapter II and the network of chapter III.
// Where a box stands is said here; values, derivatives, edges and shapes are read from the things themselves.
#include "autograd/ops.h"
#include "experiments/studies/study.h"
#include "nn/unet.h"

namespace dale {
namespace {

constexpr const char* slope_pen = "style='fill:var(--pen1,#D55E00)'";
constexpr const char* time_pen = "style='stroke:var(--pen0,#0072B2);fill:var(--pen0,#0072B2)'";
constexpr const char* time_ink = "style='fill:var(--pen0,#0072B2)'";
constexpr const char* ink = "stroke='currentColor' fill='currentColor'";

struct Point {
  double x, y;
};

/// Boxes, arrows and lines of text at pixels.
struct Diagram : Drawing {
  void text(Point at, const std::string& what, const char* more = "", const char* anchor = "middle") {
    Drawing::text(at.x, at.y, anchor, what, more);
  }
  void box(Point middle, double width, double height) {
    svg +=
        fmt::format("<rect x='{}' y='{}' width='{}' height='{}' rx='7' fill='none' stroke='currentColor'/>\n",
                    middle.x - width / 2, middle.y - height / 2, width, height);
  }
  void line(Point from, Point to) {
    svg += fmt::format("<path fill='none' stroke='currentColor' d='M{},{}L{},{}'/>\n", from.x, from.y, to.x,
                       to.y);
  }
  void arrow(Point from, Point to, const char* pen = ink, const char* more = "") {
    const double length = scalar::hypot(to.x - from.x, to.y - from.y);
    const Point along{(to.x - from.x) / length, (to.y - from.y) / length};
    const Point neck{to.x - 9 * along.x, to.y - 9 * along.y};
    svg += fmt::format(
        "<g {}><path d='M{:.1f},{:.1f}L{:.1f},{:.1f}' {}/>"
        "<path stroke='none' d='M{:.1f},{:.1f}L{:.1f},{:.1f}L{:.1f},{:.1f}z'/></g>\n",
        pen, from.x, from.y, neck.x, neck.y, more, to.x, to.y, neck.x - 4 * along.y, neck.y + 4 * along.x,
        neck.x + 4 * along.y, neck.y - 4 * along.x);
  }
  std::string whole(int width, int height, const std::string& title) const {
    return Drawing::whole(width, height, title, " font-family='sans-serif' font-size='14'");
  }
};

std::string number(const Var& x) { return fmt::format("{:.4f}", x.item()); }

// ---- The graph of a scalar --------------------------------------------------------------------------------

struct Drawn {
  std::string name;
  Var var;
  Point at;
};
constexpr double node_width = 132, node_height = 66;

/// Where the line from `from` to `to` enters the box about `to`.
Point rim(Point from, Point to) {
  const double dx = std::abs(from.x - to.x), dy = std::abs(from.y - to.y);
  const double share = std::min(1.0, std::min(node_width / 2 / dx, node_height / 2 / std::max(dy, 1e-9)));
  return {to.x + share * (from.x - to.x), to.y + share * (from.y - to.y)};
}

/// The nodes between the first and the last, with values and derivatives of the last; and the edges, each
/// with what the rule of its end hands back along it.
void draw_graph(Diagram& d, const std::vector<Drawn>& all, const std::string& of) {
  Vars vars;
  for (const Drawn& node : all) vars.push_back(node.var);
  const Vars slopes = grad(vars.back(), vars);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [name, var, at] = all[i];
    d.box(at, node_width, node_height);
    d.text({at.x, at.y - 15}, name, "font-weight='bold'");
    d.text({at.x, at.y + 4}, number(var));
    d.text({at.x, at.y + 24},
           fmt::format("{}/∂{} = {}", of, name.substr(0, name.find(' ')), number(slopes[i])), slope_pen);
    const Node& node = *var.node();
    if (!node.rule) continue;
    const Vars parts = node.rule(slopes[i], node.inputs, Var(node.output, var.node()));
    for (std::size_t k = 0; k < parts.size(); ++k)
      for (const Drawn& input : all) {
        if (input.var.node() != node.inputs[k].node()) continue;
        const Point from = rim(at, input.at), to = rim(input.at, at);
        d.arrow(from, to);
        const Point middle{(from.x + to.x) / 2, (from.y + to.y) / 2};
        if (std::abs(from.y - to.y) < 5)
          d.text({middle.x, middle.y - 8}, number(parts[k]), slope_pen);
        else
          d.text({middle.x + 7, middle.y + (from.y < to.y ? -6 : 18)}, number(parts[k]), slope_pen, "start");
      }
  }
}

// ---- The U-Net --------------------------------------------------------------------------------------------

/// C×H×W of x (1,C,H,W).
std::string size(const Var& x) { return fmt::format("{}×{}×{}", x.dim(1), x.dim(2), x.dim(3)); }

/// "214,801"
std::string parameter_count(ScoreUNet network) {
  Index count = 0;
  for (const NamedParameter& p : parameters(network)) count += p.parameter->size();
  return fmt::format("{},{:03}", count / 1000, count % 1000);
}

}  // namespace

std::string graph_diagram() {
  const Var x = parameter(Tensor({}, {real(0.5)})), e = exp(x), y = x * e;
  const Var first = grad(y, {x}, true)[0], second = grad(first, {x})[0];
  // What the walk records: the rule of the product at g = 1, then that of exp at g = b, then the sum in x.
  const Var one = Tensor({}, {1}), a = one * e, b = one * x, c = b * e, sum = a + c;
  if (sum.item() != first.item()) broken("the graph that is drawn of the derivative is not grad's");
  Diagram d;
  d.text({30, 28}, fmt::format("y = x·exp(x) at x = {}", x.item()), "font-weight='bold' font-size='15'",
         "start");
  draw_graph(d, {{"x", x, {100, 170}}, {"e = exp(x)", e, {430, 90}}, {"y = x·e", y, {760, 170}}}, "∂y");
  d.text({30, 268}, "Its derivative, which the walk back records as a graph: y′ = a + c",
         "font-weight='bold' font-size='15'", "start");
  draw_graph(d,
             {{"x", x, {100, 410}},
              {"e = exp(x)", e, {320, 330}},
              {"b = 1·x", b, {320, 490}},
              {"a = 1·e", a, {540, 330}},
              {"c = b·e", c, {540, 490}},
              {"y′ = a + c", sum, {760, 410}}},
             "∂y′");
  d.text({30, 566}, fmt::format("y = {},   ∂y = {},   ∂²y = {}", number(y), number(first), number(second)),
         "", "start");
  d.text({30, 590},
         "Plain: values, computed along the arrows. Orange: what the walk hands back along each arrow,", "",
         "start");
  d.text({30, 610}, "and in each box their sum, the derivative of the last box with respect to this one.", "",
         "start");
  return d.whole(860, 626, "Values and derivatives in the graphs of x·exp(x) and of its derivative");
}

std::string unet_diagram() {
  const NoGrad off;
  const UNetShape shape{.channels = 16};
  const ScoreUNet net(shape, Key{1});
  constexpr double left = 180, right = 640, top = 150, row = 110, width = 196, height = 58;
  Diagram d;
  const Var e = silu(net.time2(silu(net.time1(Tensor::full({1, shape.time_width}, 0)))));
  /// A block about `at`, which e enters from `side`: along one axis.
  const auto block = [&](const std::string& name, const ResidualBlock& f, const Var& x, Point at,
                         Point side) {
    const Var y = f(x, e);
    d.box(at, width, height);
    d.text({at.x, at.y - 8}, name, "font-weight='bold'");
    d.text({at.x, at.y + 15}, size(x) + " → " + size(y));
    const Point edge{at.x + side.x * width / 2, at.y + side.y * height / 2};
    d.arrow({edge.x + side.x * 30, edge.y + side.y * 30}, edge, time_pen);
    d.text({edge.x + side.x * 37, edge.y + side.y * 37 + 5}, "e", time_ink);
    return y;
  };
  /// An arrow downwards or upwards, and beside it what happens there.
  const auto step = [&](double x, double from, double to, const std::string& what, const Var& y) {
    d.arrow({x, from}, {x, to});
    const double side = x < right ? 10 : -10, middle = (from + to) / 2;
    d.text({x + side, middle - 3}, what, "font-size='13'", side > 0 ? "start" : "end");
    d.text({x + side, middle + 14}, size(y), "font-size='13'", side > 0 ? "start" : "end");
  };
  const auto level = [&](std::size_t i) { return top + row * static_cast<double>(i); };
  const double half = height / 2;

  const Var x = Tensor::full({1, shape.colours, 28, 28}, 0);
  d.text({left, top - 112}, "x  " + size(x), "font-weight='bold'");
  Var h = net.stem(x);
  step(left, top - 104, top - half, "stem: conv 3×3", h);
  Vars skips;
  for (std::size_t i = 0; i < net.down.size(); ++i) {
    h = block(fmt::format("down.{}", i), net.down[i], h, {left, level(i)}, {-1, 0});
    skips.push_back(h);
    d.arrow({left + width / 2, level(i)}, {right - width / 2, level(i)}, ink, "stroke-dasharray='6 4'");
    d.text({(left + right) / 2, level(i) - 7}, "skip " + size(h), "font-size='13'");
    if (i == net.shrink.size()) break;
    h = net.shrink[i](h);
    step(left, level(i) + half, level(i + 1) - half, fmt::format("shrink.{}: conv 3×3, stride 2", i), h);
  }
  const double bottom = level(net.down.size() - 1), middle = bottom + row - 10;
  const double from = (left + right - width) / 2, to = (left + right + width) / 2;
  d.line({left, bottom + half}, {left, middle});
  d.arrow({left, middle}, {from, middle});
  h = block("middle", net.middle, h, {(left + right) / 2, middle}, {0, 1});
  d.line({to, middle}, {right, middle});
  d.arrow({right, middle}, {right, bottom + half});
  for (std::size_t i = 0; i < net.up.size(); ++i) {
    const std::size_t k = net.up.size() - 1 - i;
    h = block(fmt::format("up.{}", i), net.up[i], concat({h, skips[k]}, 1), {right, level(k)}, {1, 0});
    if (i == net.grow.size()) break;
    h = net.grow[i](upsample_nearest(h, 2));
    step(right, level(k) - half, level(k - 1) + half, fmt::format("double, grow.{}: conv 3×3", i), h);
  }
  h = net.head(net.norm.then_silu(h));
  step(right, top - half, top - 104, "norm, silu, head: conv 3×3", h);
  d.text({right, top - 112}, "F(x, t)  " + size(h), "font-weight='bold'");

  double line = middle + half + 70;
  const auto note = [&](const std::string& what, const char* more = "") {
    d.text({40, line += 22}, what, more, "start");
  };
  note(fmt::format("t → {0} sines and cosines → time1 → silu → time2 → silu → e, {0} numbers",
                   shape.time_width),
       time_ink);
  note("block: h = conv 3×3 (silu norm x) + linear(e),   y = conv 3×3 (silu norm h) + x;");
  note("where the channels change, the last x goes through conv 1×1");
  note("up: what comes from below and the skip, side by side, are the block’s x");
  note(fmt::format("{} parameters; with twice the channels, the workload R1, {}", parameter_count(net),
                   parameter_count(ScoreUNet({}, Key{1}))));
  return d.whole(820, static_cast<int>(line) + 20, "The score U-Net of 16 channels, with the shapes C×H×W");
}

}  // namespace dale
