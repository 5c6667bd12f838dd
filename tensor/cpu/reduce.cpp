// Reductions y[k] = op over r of x[k,r]. The range of r is cut into chunks of a fixed length; a chunk of one
// k is a piece, and the chunks of a k are combined in order, in double. Where r's last axis is strided and
// k's is not (sums over rows of a matrix), neighbouring k are reduced together, so that memory is read along
// its lines.
#include <vector>

#include "tensor/cpu/parallel.h"
#include "tensor/walk.h"

namespace dale::cpu {
namespace {

using Sum = binary_formula::add;
using Max = binary_formula::maximum;

/// What a reduction of nothing gives.
template <class Op>
constexpr double start = std::is_same_v<Op, Sum> ? 0 : -std::numeric_limits<double>::infinity();

template <class Op> double reduce_run(const real* x, Index stride, Index n) {
  if (stride != 1) {
    double total = start<Op>;
    for (Index i = 0; i < n; ++i) total = Op{}(total, static_cast<double>(x[i * stride]));
    return total;
  }
  constexpr Index lanes = 16;
  real partial[lanes];
  std::fill(partial, partial + lanes, static_cast<real>(start<Op>));
  Index i = 0;
  for (; i + lanes <= n; i += lanes)
    for (Index l = 0; l < lanes; ++l) partial[l] = Op{}(partial[l], x[i + l]);
  for (; i < n; ++i) partial[i % lanes] = Op{}(partial[i % lanes], x[i]);
  double total = start<Op>;
  for (real p : partial) total = Op{}(total, static_cast<double>(p));
  return total;
}

constexpr Index chunk = 16384;  // elements of r that one piece reduces

/// y[o,c] = op over the chunks of partial[o,chunk,c].
template <class Op>
void combine_chunks(const std::vector<double>& partial, Index chunks, Index columns, Out y) {
  for (Index i = 0; i < std::ssize(y); ++i) {
    const double* of_chunks = &partial[i / columns * chunks * columns + i % columns];
    double total = start<Op>;
    for (Index c = 0; c < chunks; ++c) total = Op{}(total, of_chunks[c * columns]);
    y[i] = static_cast<real>(total);
  }
}

template <class Op> void reduce_chunks(const View<const real>& x, const Walk<1>& k, const Walk<1>& r, Out y) {
  const Index outputs = k.count, terms = r.count;
  const Index chunks = std::max<Index>(1, (terms + chunk - 1) / chunk);
  std::vector<double> partial(static_cast<std::size_t>(outputs * chunks), start<Op>);
  const Index group =
      std::max<Index>(1, chunk / std::max<Index>(1, terms));  // outputs a piece, when they are short
  parallel_ranges(outputs * chunks, group, [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      const real* from = x.data + k(p / chunks)[0];
      double total = start<Op>;
      r.runs(p % chunks * chunk, std::min(terms, (p % chunks + 1) * chunk),
             [&](Index, const auto& offset, Index n) {
               total = Op{}(total, reduce_run<Op>(from + offset[0], r.run_stride(0), n));
             });
      partial[p] = total;
    }
  });
  combine_chunks<Op>(partial, chunks, 1, y);
}

/// k's last axis has stride 1: rows of numbers that are combined place by place. A piece is a chunk of the
/// rows, and 1024 columns of it; 64 rows at most are added in `real` before they go to double.
template <class Op>
void reduce_columns(const View<const real>& x, const Walk<1>& k, const Walk<1>& r, Out y) {
  constexpr Index width = 64, span = 1024, rows = 64;
  const Index columns = k.shape[k.rank - 1], outer = k.count / columns, terms = r.count,
              spans = (columns + span - 1) / span;
  const Index length = std::max(rows, chunk / columns),
              chunks = std::max<Index>(1, (terms + length - 1) / length);
  const Index group =
      std::max<Index>(1, chunk / std::max<Index>(1, std::min(terms, length) * std::min(columns, span)));
  std::vector<double> partial(static_cast<std::size_t>(outer * chunks * columns), start<Op>);
  parallel_ranges(outer * chunks * spans, group, [&](Index begin_piece, Index end_piece) {
    for (Index piece = begin_piece; piece < end_piece; ++piece) {
      const Index p = piece / spans, begin = p % chunks * length, end = std::min(terms, begin + length);
      const Index left = piece % spans * span, right = std::min(columns, left + span);
      const real* from = x.data + k(p / chunks * columns)[0];
      double* total = &partial[p * columns];
      for (Index first = left; first < right; first += width) {
        const Index n = std::min(width, right - first);
        for (Index row = begin; row < end; row += rows) {
          real sum[width];
          std::fill(sum, sum + width, static_cast<real>(start<Op>));
          r.runs(row, std::min(end, row + rows), [&](Index, const auto& offset, Index count) {
            for (Index i = 0; i < count; ++i) {
              const real* at = from + first + offset[0] + i * r.run_stride(0);
              for (Index c = 0; c < n; ++c) sum[c] = Op{}(sum[c], at[c]);
            }
          });
          for (Index c = 0; c < n; ++c)
            total[first + c] = Op{}(total[first + c], static_cast<double>(sum[c]));
        }
      }
    }
  });
  combine_chunks<Op>(partial, chunks, columns, y);
}

template <class Op> void reduce_with(const View<const real>& x, int kept, Out y) {
  const Walk<1> k(x.shape, {&x.strides}, 0, kept), r(x.shape, {&x.strides}, kept, x.shape.rank());
  if (k.run_stride(0) == 1 && r.run_stride(0) != 1 && k.count >= 16)
    reduce_columns<Op>(x, k, r, y);
  else
    reduce_chunks<Op>(x, k, r, y);
}

}  // namespace

void reduce(Reduce op, const View<const real>& x, int kept, Out y) {
  if (op == Reduce::sum)
    reduce_with<Sum>(x, kept, y);
  else
    reduce_with<Max>(x, kept, y);
}

void squared_norms(std::span<const In> x, Out y) {
  std::vector<real> squares;
  for (std::size_t k = 0; k < x.size(); ++k) {
    squares.resize(x[k].size());
    parallel_ranges(std::ssize(squares), [from = x[k].data(), to = squares.data()](Index begin, Index end) {
      DALE_INDEPENDENT for (Index i = begin; i < end; ++i) to[i] = from[i] * from[i];
    });
    reduce_with<Sum>({squares.data(), std::ssize(squares), {std::ssize(squares)}, {1}}, 0, y.subspan(k, 1));
  }
}

}  // namespace dale::cpu
