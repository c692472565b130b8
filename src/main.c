/* main.c - hands the command line to the application layer; nothing else lives here. */
#include "tws/app/app.h"

int main(int argc, char **argv)
{
    return tws_app_main(argc, argv);
}
