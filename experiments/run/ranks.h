// Ranks: processes on one or more machines that work on one thing together, 0 … rank_count() − 1, started by
// `mpirun -n R dale …` where dale was built by `make MPI=1`. Without either there is one, and nothing here
// does anything. Every rank goes the same way through the program; what must agree is exchanged:
//   sums       along a fixed binary tree, whose upper levels are exchanges between pairs: a + b = b + a
//   decisions  of rank 0 (what a file said, whether to stop) are told to all
// Rank 0 alone writes files and speaks. This is the one door to MPI.
#pragma once

#include <string>

#include "tensor/tensor.h"

namespace dale {

int rank();
int rank_count();

/// Σ over ranks of x, the same bits on each: with pairs of ranks r and r xor 1, then xor 2, 4, … REQUIRES a
/// power of two ranks, and arrays of one size.
Tensor sum_over_ranks(const Tensor& x);
/// The largest of the ranks' numbers.
int largest_of_ranks(int number);
/// That of one rank, on every rank.
Index told_by(int rank, Index number);
inline Index told_by_first(Index number) { return told_by(0, number); }
void tell_from_first(Tensor& x);
/// Rank 0 gets x (n,…) of `from`, which calls the same; nothing happens where `from` is 0.
void send_to_first(Tensor& x, int from);
/// The text of the first rank that has one, on every rank; "" where none has.
std::string first_said(const std::string& text);
/// Throws std::runtime_error that names the first rank whose text is not rank 0's, and `what` it is of.
void expect_alike(const std::string& text, const std::string& what);

/// While it lives rank 0, which alone has one, counts itself alone: what it does then is no other's concern.
class Alone {
 public:
  Alone();
  ~Alone();
  Alone(const Alone&) = delete;

 private:
  int ranks_;
};

/// What the build has of MPI, in words.
std::string ranks_description();

/// The life of the ranks: from main's first line to its last. Ranks but the first are silent.
class Ranks {
 public:
  Ranks(int& argc, char**& argv);
  /// With this status. A rank that failed alone says so, with its number, and all end.
  int end(int status);
};

}  // namespace dale
