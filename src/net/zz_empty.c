typedef int zz_empty;
