namespace Cluster.Messages.Tests;

/// <summary>Damages bytes as a bad network, disk or client might: flips, cuts, inserts, doubles.</summary>
internal static class Mutation
{
    public static byte[] Of(byte[] bytes, Random random)
    {
        List<byte> mutant = [.. bytes];
        for (int changes = 1 + random.Next(3); changes > 0 && mutant.Count > 0; changes--)
        {
            int index = random.Next(mutant.Count);
            switch (random.Next(5))
            {
                case 0:
                    mutant[index] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    mutant[index] = (byte)random.Next(256);
                    break;
                case 2:
                    mutant.RemoveRange(index, Math.Min(1 + random.Next(8), mutant.Count - index));
                    break;
                case 3:
                    mutant.InsertRange(index, mutant.GetRange(index, Math.Min(random.Next(40), mutant.Count - index)));
                    break;
                default:
                    mutant.RemoveRange(index, mutant.Count - index);
                    break;
            }
        }

        return [.. mutant];
    }
}
