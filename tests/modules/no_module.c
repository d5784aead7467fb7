/* A shared object that is no module. */
int square(void *call);

int square(void *call)
{
	return call != 0;
}
