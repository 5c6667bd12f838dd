#include "experiments/run/ranks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "tensor/check.h"
#include "tensor/verbs.h"

#ifdef DALE_MPI
#include <mpi.h>
#endif

namespace dale {

#ifdef DALE_MPI
namespace {

bool started = false;
int this_rank = 0, ranks = 1, spoken = -1;  // spoken: a file that has what a silent rank says
int loud = -1;                              // stderr as it was

const MPI_Datatype of_real = sizeof(real) == 4 ? MPI_FLOAT : MPI_DOUBLE;

int length(const Tensor& x) {
  if (x.size() > (Index{1} << 31) - 1)
    invalid("[ranks] an array of {} numbers; MPI counts to 2^31", x.size());
  return static_cast<int>(x.size());
}

/// The last line that a silent rank said.
std::string last_words() {
  std::string text(static_cast<std::size_t>(lseek(spoken, 0, SEEK_END)), '\0');
  const ssize_t n = pread(spoken, text.data(), text.size(), 0);
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// That of one rank, on every rank.
std::string told_text(int rank, std::string text) {
  text.resize(static_cast<std::size_t>(told_by(rank, static_cast<Index>(text.size()))));
  if (ranks > 1) MPI_Bcast(text.data(), static_cast<int>(text.size()), MPI_CHAR, rank, MPI_COMM_WORLD);
  return text;
}
/// The first rank of which something holds; rank_count() where it holds of none.
int first_of_ranks(bool holds) { return ranks - largest_of_ranks(holds ? ranks - this_rank : 0); }

}  // namespace

int rank() { return this_rank; }
int rank_count() { return ranks; }

Tensor sum_over_ranks(const Tensor& x) {
  Tensor sum = x.packed();
  for (int bit = 1; bit < ranks; bit *= 2) {
    const Tensor mine = sum.to(Device::cpu);
    Tensor theirs(mine.shape());
    MPI_Sendrecv(mine.cspan().data(), length(mine), of_real, this_rank ^ bit, bit, theirs.span().data(),
                 length(theirs), of_real, this_rank ^ bit, bit, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    sum = raw::binary(Binary::add, sum, theirs.to(x.device()));
  }
  return sum;
}

int largest_of_ranks(int number) {
  int largest = number;
  if (ranks > 1) MPI_Allreduce(&number, &largest, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  return largest;
}

Index told_by(int rank, Index number) {
  if (ranks > 1) MPI_Bcast(&number, 1, MPI_INT64_T, rank, MPI_COMM_WORLD);
  return number;
}

void tell_from_first(Tensor& x) {
  if (ranks == 1) return;
  Tensor host = x.to(Device::cpu).clone();
  MPI_Bcast(host.span().data(), length(host), of_real, 0, MPI_COMM_WORLD);
  raw::copy_into(x, host.to(x.device()));
}

void send_to_first(Tensor& x, int from) {
  if (from == 0) return;
  if (this_rank == from) MPI_Send(x.cspan().data(), length(x), of_real, 0, 0, MPI_COMM_WORLD);
  if (this_rank == 0)
    MPI_Recv(x.span().data(), length(x), of_real, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

std::string first_said(const std::string& text) {
  const int speaker = first_of_ranks(!text.empty());
  return speaker < ranks ? told_text(speaker, text) : "";
}

void expect_alike(const std::string& text, const std::string& what) {
  if (const int other = first_of_ranks(told_text(0, text) != text); other < ranks)
    failed("rank {} has other {} than rank 0: start all with one program, one command and the same data",
           other, what);
}

Alone::Alone() : ranks_(std::exchange(ranks, 1)) {}
Alone::~Alone() { ranks = ranks_; }

std::string ranks_description() {
  char name[MPI_MAX_LIBRARY_VERSION_STRING];
  int size = 0;
  MPI_Get_library_version(name, &size);
  const std::string text(name, static_cast<std::size_t>(size));
  return fmt::format("{}, {} ranks", text.substr(0, text.find(',')), ranks);
}

Ranks::Ranks(int& argc, char**& argv) {
  if (!std::getenv("OMPI_COMM_WORLD_SIZE") && !std::getenv("PMI_SIZE")) return;  // not by mpirun
  MPI_Init(&argc, &argv);
  started = true;
  MPI_Comm_rank(MPI_COMM_WORLD, &this_rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (this_rank == 0) return;
  loud = dup(STDERR_FILENO);
  std::FILE* file = std::tmpfile();
  spoken = file ? fileno(file) : open("/dev/null", O_RDWR);
  dup2(spoken, STDOUT_FILENO);
  dup2(spoken, STDERR_FILENO);
}

int Ranks::end(int status) {
  std::fflush(nullptr);
  if (started && (status == 0 || ranks == 1)) MPI_Finalize();
  if (status == 0 || ranks == 1) return status;
  if (this_rank > 0) {  // what all ranks found, the first one says; after a moment this one was alone
    sleep(3);
    const std::string words = fmt::format("dale: rank {}: {}\n", this_rank, last_words());
    if (write(loud, words.data(), words.size()) < 0) status = 1;
  }
  MPI_Abort(MPI_COMM_WORLD, status);
  return status;
}

#else

int rank() { return 0; }
int rank_count() { return 1; }
Tensor sum_over_ranks(const Tensor& x) { return x; }
int largest_of_ranks(int number) { return number; }
Index told_by(int, Index number) { return number; }
void tell_from_first(Tensor&) {}
void send_to_first(Tensor&, int) {}
std::string first_said(const std::string& text) { return text; }
void expect_alike(const std::string&, const std::string&) {}
Alone::Alone() : ranks_(1) {}
Alone::~Alone() {}
std::string ranks_description() { return "none: this build has no MPI (make MPI=1 adds it)"; }
Ranks::Ranks(int&, char**&) {}
int Ranks::end(int status) { return status; }

#endif

}  // namespace dale
