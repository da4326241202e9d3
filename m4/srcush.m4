# SPDX-License-Identifier: GPL-2.0-or-later
#
# Small macros for srcush's configure.ac.  They live here so that
# configure.ac reads as the list of what the program needs.

# SRCUSH_APPEND_CFLAG(VARIABLE, FLAG)
# -----------------------------------
# Append FLAG to VARIABLE if the C compiler takes it without complaint.
# -Werror is on for the trial because clang only warns about flags that it
# does not know.
AC_DEFUN([SRCUSH_APPEND_CFLAG], [
  AC_MSG_CHECKING([whether $CC accepts $2])
  srcush_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$srcush_saved_CFLAGS
])

# SRCUSH_SANITIZER(NAME, DESCRIPTION, FLAGS)
# ------------------------------------------
# --enable-NAME adds FLAGS to SAN_CFLAGS and SAN_LDFLAGS.  A sanitizer that was
# asked for and does not link is an error: a run that silently checks nothing
# is worse than none.
AC_DEFUN([SRCUSH_SANITIZER], [
  AC_ARG_ENABLE([$1],
    [AS_HELP_STRING([--enable-$1], [build with $2])],
    [], [enable_$1=no])
  AS_IF([test "x$enable_$1" != xno], [
    AC_MSG_CHECKING([whether $CC can link with $3])
    srcush_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $3"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       AC_MSG_ERROR([--enable-$1 was given, but $CC cannot link with $3
(Fedora: dnf install lib$1; Debian: it comes with gcc, for clang apt-get install libclang-rt-dev)])])
    CFLAGS=$srcush_saved_CFLAGS
    SAN_CFLAGS="$SAN_CFLAGS $3"
    SAN_LDFLAGS="$SAN_LDFLAGS $3"
    srcush_sanitizers="$srcush_sanitizers $1"
  ])
])
