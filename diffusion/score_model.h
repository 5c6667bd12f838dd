// What a network's output means. Five parameterisations of one thing, the chart score u = ∇_y log p_t(y):
//   denoised   F inside (IV.11):             u = (a D + m − y)/s²
//   noise      F ≈ Z:                        u = −F/s
//   score      F ≈ u itself
//   hyvarinen  F ≈ h = x ∘ ∇ₓ log p:         u = 1 + F  in the log chart
//   stein      F ≈ ∇ₓ log p (the paper's network, multiplied by x in the loss): h = x ∘ F
// The first sees c_in y and c_noise; the next three see y and t; the last sees x and t, as in the paper.
#pragma once

#include "diffusion/precondition.h"
#include "diffusion/process.h"

namespace dale {

enum class Parameterisation { denoised, noise, score, hyvarinen, stein };

/// "denoised" …; and back. Throws std::invalid_argument for another name.
const char* str(Parameterisation p);
Parameterisation parameterisation_named(const std::string& name);

struct ScoreModel {
  const Process* process;
  Edm edm;
  Parameterisation meaning;
  Network network;

  /// All that score() needs of the times t[n] > 0, a row a quantity, because a captured function
  /// (tensor/captured.h) takes what changes from call to call as arrays.
  enum Row { time, row_a, row_m, row_s, c_in, c_noise, c_skip, c_out, rows };
  Tensor schedule(const std::vector<double>& t, Device device) const;  // (rows,N)
  /// u at Y_t = y (N,…), image n at time t[n].
  Var score(const Var& y, const Tensor& schedule) const;
  /// Row k of a schedule, one number per image, to broadcast against y (N,…).
  static Var column(const Tensor& schedule, Row k, int rank);
  /// E[y₀ | y] in the frame y₀ + sZ, through u: D = (y + s²u − m)/a at the time whose level is s.
  Denoiser denoiser() const;
};

}  // namespace dale
